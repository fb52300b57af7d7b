-- Every statement of the adapter: its name, one line of purpose, the statement.
-- `squidmesh.` stands for the schema and prefix that are configured.

-- one: One append with its values, put in the place of its columns wherever they stand.
{name} as not materialized (
    select {values}
);

-- many: Several, with an array of each column; one set of rows only, as each costs the server a table of its own.
{name} as materialized (
    select {elements}
    from unnest(%({name}_first)s::bigint[]) with ordinality as x (number, place)
);

-- columns_slot: A slot that goes on from one attempt to the next.
run_id uuid, first bigint, last bigint, at timestamptz, codec smallint, append_id text, hash text,
body text, packed bytea,
old_key text, attempt_key text, queue text, action text, priority bigint, visible_at timestamptz,
partition_key text, held_until timestamptz;

-- columns_beginning: A run that begins, with its first attempt.
run_id uuid, first bigint, last bigint, at timestamptz, codec smallint, append_id text, hash text,
body text, packed bytea,
workflow text, version text, fingerprint text, "trigger" text, status text, queue text,
priority bigint, tags text, key text, partition_key text, created_at timestamptz,
ended_at timestamptz, parent text, replayed_from text, forked_at text, error text,
due_at timestamptz, due_soon_at timestamptz, escalated_at timestamptz,
attempt_key text, attempt_queue text, action text, attempt_priority bigint, visible_at timestamptz,
attempt_partition_key text, held_until timestamptz, attempt_due boolean;

-- columns_ending: A slot that lets its attempt go, with which facts of its run change.
run_id uuid, first bigint, last bigint, at timestamptz, codec smallint, append_id text, hash text,
body text, packed bytea,
old_key text, workflow text, version text, fingerprint text, "trigger" text, status text,
queue text, priority bigint, tags text, key text, partition_key text, created_at timestamptz,
ended_at timestamptz, parent text, replayed_from text, forked_at text, error text,
due_at timestamptz, due_soon_at timestamptz, escalated_at timestamptz,
event text, behind text, notice_id text, notice_body text;

-- columns_claim: An attempt that is taken.
run_id uuid, first bigint, last bigint, at timestamptz, codec smallint, append_id text, hash text,
body text, packed bytea,
attempt_key text, queue text, action text, priority bigint, visible_at timestamptz,
partition_key text, held_until timestamptz;

-- part_claimed: Their appends, and held rows in the place of waiting ones, which are locked already.
claimed as (
    insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body, packed)
    select
        c.run_id, c.first, c.last, c.at, c.codec, c.append_id, decode(c.hash, 'hex'), c.body,
        c.packed
    from claim as c
    where c.first - 1 = (
            select j.last from squidmesh.journal as j
            where j.run_id = c.run_id order by j.first desc limit 1
        )
        and not exists (select 1 from squidmesh.quarantine as q where q.run_id = c.run_id)
    order by c.run_id
    %(clash)s
    returning run_id
),
claimed_left as (
    delete from squidmesh.waiting as w
    using claim as c, claimed as d
    where d.run_id = c.run_id and w.run_id = c.run_id and w.attempt_key = c.attempt_key
),
claimed_held as (
    insert into squidmesh.held
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until)
    select
        c.run_id, c.attempt_key, c.queue, c.action, c.priority, c.visible_at, c.partition_key,
        c.held_until
    from claim as c
    join claimed as d on d.run_id = c.run_id
);

-- part_steps: Their held rows moved in place, and their appends.
-- A row is locked by being moved, one after another as the slots stand: a lock of its own
-- would be a record more in the log.
gone_on as (
    update squidmesh.held as h set
        attempt_key = s.attempt_key,
        queue = s.queue,
        action = s.action,
        priority = s.priority,
        visible_at = s.visible_at,
        partition_key = s.partition_key,
        held_until = s.held_until
    from slot as s
    where h.run_id = s.run_id and h.attempt_key = s.old_key
        and not exists (
            select 1 from squidmesh.held as o
            where o.run_id = s.run_id and o.attempt_key = s.attempt_key
        )
        and not exists (
            select 1 from squidmesh.waiting as o
            where o.run_id = s.run_id and o.attempt_key = s.attempt_key
        )
        and s.first - 1 = (
            select j.last from squidmesh.journal as j
            where j.run_id = s.run_id order by j.first desc limit 1
        )
        and not exists (select 1 from squidmesh.quarantine as q where q.run_id = s.run_id)
    returning h.run_id
),
stepped as (
    insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body, packed)
    select
        s.run_id, s.first, s.last, s.at, s.codec, s.append_id, decode(s.hash, 'hex'), s.body,
        s.packed
    from slot as s
    join gone_on as g on g.run_id = s.run_id
    returning run_id
);

-- part_started: Their appends, where there is no journal yet, and their listed facts.
started as (
    insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body, packed)
    select
        b.run_id, b.first, b.last, b.at, b.codec, b.append_id, decode(b.hash, 'hex'), b.body,
        b.packed
    from beginning as b
    where not exists (select 1 from squidmesh.journal as j where j.run_id = b.run_id)
        and not exists (select 1 from squidmesh.quarantine as q where q.run_id = b.run_id)
    order by b.run_id
    returning run_id
),
started_listed as (
    insert into squidmesh.runs (
        run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    )
    select
        b.run_id, b.workflow, b.version, b.fingerprint, b."trigger", b.status, b.queue, b.priority,
        b.tags, b.key, b.partition_key, b.created_at, b.ended_at, b.parent, b.replayed_from,
        b.forked_at, b.error, b.due_at, b.due_soon_at, b.escalated_at
    from beginning as b
    join started as w on w.run_id = b.run_id
);

-- part_started_held: Their attempts that are claimed already.
started_held as (
    insert into squidmesh.held
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until)
    select
        b.run_id, b.attempt_key, b.attempt_queue, b.action, b.attempt_priority, b.visible_at,
        b.attempt_partition_key, b.held_until
    from beginning as b
    join started as w on w.run_id = b.run_id
    where b.held_until is not null
);

-- part_started_waiting: Their attempts that are not.
started_waiting as (
    insert into squidmesh.waiting
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, due)
    select
        b.run_id, b.attempt_key, b.attempt_queue, b.action, b.attempt_priority, b.visible_at,
        b.attempt_partition_key, b.attempt_due
    from beginning as b
    join started as w on w.run_id = b.run_id
    where b.held_until is null
);

-- part_ended: Their held rows, which go, their appends, their facts, and what hooks are to be told.
-- A row is locked by being deleted, as by being moved above.
given_up as (
    delete from squidmesh.held as h
    using ending as e
    where h.run_id = e.run_id and h.attempt_key = e.old_key
        and exists (
            select 1 from squidmesh.runs as r where r.run_id = e.run_id and r.tags = e.tags
        )
        and e.first - 1 = (
            select j.last from squidmesh.journal as j
            where j.run_id = e.run_id order by j.first desc limit 1
        )
        and not exists (select 1 from squidmesh.quarantine as q where q.run_id = e.run_id)
    returning h.run_id
),
ended as (
    insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body, packed)
    select
        e.run_id, e.first, e.last, e.at, e.codec, e.append_id, decode(e.hash, 'hex'), e.body,
        e.packed
    from ending as e
    join given_up as g on g.run_id = e.run_id
    returning run_id
),
ended_listed as (
    update squidmesh.runs as x set (
        workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    ) = row (
        e.workflow, e.version, e.fingerprint, e."trigger", e.status, e.queue, e.priority, e.tags,
        e.key, e.partition_key, e.created_at, e.ended_at, e.parent, e.replayed_from, e.forked_at,
        e.error, e.due_at, e.due_soon_at, e.escalated_at
    )
    from ending as e, ended as w
    where w.run_id = e.run_id and x.run_id = e.run_id
),
ended_noticed as (
    insert into squidmesh.records (kind, key, version, body)
    select %(notice)s, h.key || ' ' || e.notice_id, 1, e.notice_body
    from ending as e
    join ended as w on w.run_id = e.run_id
    join squidmesh.records as h on h.kind = %(hook)s
        and h.key >= e.event collate "C" and h.key < e.behind collate "C"
    on conflict (kind, key) do nothing
);

-- part_batch: The appends to write.
batch as materialized (
    select *
    from unnest(
        %(batch_run_id)s::uuid[], %(batch_first)s::bigint[], %(batch_last)s::bigint[],
        %(batch_at)s::timestamptz[], %(batch_codec)s::smallint[], %(batch_append_id)s::text[],
        %(batch_hash)s::text[], %(batch_body)s::text[], %(batch_packed)s::bytea[],
        %(guarded)s::boolean[]
    ) as b (run_id, first, last, at, codec, append_id, hash, body, packed, guarded)
);

-- part_locked: The rows of attempts that will change, locked in order before any journal is touched.
named as materialized (
    -- Ordered by a number, and not by what an index is ordered by: with sorting made dear,
    -- the index would be walked from end to end for the sake of its order.
    select n.*, row_number() over (order by n.run_id, n.attempt_key collate "C") as place
    from unnest(
        %(named_run)s::uuid[], %(named_key)s::text[], %(needed)s::boolean[],
        %(leaves_waiting)s::boolean[], %(leaves_held)s::boolean[]
    ) as n (run_id, attempt_key, needed, leaves_waiting, leaves_held)
),
locked_waiting as materialized (
    select w.run_id, w.attempt_key, n.needed, n.leaves_waiting
    from named as n
    join squidmesh.waiting as w on w.run_id = n.run_id and w.attempt_key = n.attempt_key
    order by n.place
    for update of w
),
locked_held as materialized (
    select h.run_id, h.attempt_key, n.needed, n.leaves_held
    from named as n
    join squidmesh.held as h on h.run_id = n.run_id and h.attempt_key = n.attempt_key
    order by n.place
    for update of h
);

-- part_written: The appends whose predecessor is the head, of runs that are not quarantined.
written as (
    insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body, packed)
    select
        b.run_id, b.first, b.last, b.at, b.codec, b.append_id, decode(b.hash, 'hex'), b.body,
        b.packed
    from batch as b
    where b.first - 1 = coalesce(
        (
            select j.last from squidmesh.journal as j
            where j.run_id = b.run_id order by j.first desc limit 1
        ),
        0
    )
    and not exists (select 1 from squidmesh.quarantine as q where q.run_id = b.run_id)
    and (
        not b.guarded
        or 0 < (
            select j.last from squidmesh.journal as j
            where j.run_id = b.run_id order by j.first desc limit 1
            for key share
        )
    )
    and %(locks)s
    order by b.run_id
    %(clash)s
    returning run_id
);

-- part_standing: In the place of part_written: a run whose journal stands as it was.
written as (
    select %(written_run)s::uuid as run_id
);

-- part_left: Attempts that are dropped, or go from one table to the other.
left_waiting as (
    delete from squidmesh.waiting as x
    using locked_waiting as l, written as w
    where l.leaves_waiting and w.run_id = l.run_id
        and x.run_id = l.run_id and x.attempt_key = l.attempt_key
),
left_held as (
    delete from squidmesh.held as x
    using locked_held as l, written as w
    where l.leaves_held and w.run_id = l.run_id
        and x.run_id = l.run_id and x.attempt_key = l.attempt_key
);

-- part_seats: Claimed attempts.
seat as materialized (
    select *
    from unnest(
        %(seat_run)s::uuid[], %(seat_old)s::text[], %(seat_key)s::text[], %(seat_queue)s::text[],
        %(seat_action)s::text[], %(seat_priority)s::bigint[], %(seat_visible_at)s::timestamptz[],
        %(seat_partition)s::text[], %(seat_held_until)s::timestamptz[]
    ) as s (
        run_id, old_key, attempt_key, queue, action, priority, visible_at, partition_key,
        held_until
    )
);

-- part_moved: Each in the place of the row that it takes over, if that is there.
moved as (
    update squidmesh.held as h set
        attempt_key = s.attempt_key,
        queue = s.queue,
        action = s.action,
        priority = s.priority,
        visible_at = s.visible_at,
        partition_key = s.partition_key,
        held_until = s.held_until
    from seat as s, written as w
    where w.run_id = s.run_id and h.run_id = s.run_id and h.attempt_key = s.old_key
),
seated as (
    insert into squidmesh.held
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until)
    select
        s.run_id, s.attempt_key, s.queue, s.action, s.priority, s.visible_at, s.partition_key,
        s.held_until
    from seat as s
    join written as w on w.run_id = s.run_id
    where not exists (
        select 1 from locked_held as l
        where l.run_id = s.run_id and l.attempt_key = s.old_key
    )
);

-- part_seated: Each in a place of its own, where nothing can be there.
seated as (
    insert into squidmesh.held
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until)
    select
        s.run_id, s.attempt_key, s.queue, s.action, s.priority, s.visible_at, s.partition_key,
        s.held_until
    from seat as s
    join written as w on w.run_id = s.run_id
);

-- part_waiting: Unclaimed attempts.
benched as (
    insert into squidmesh.waiting
        (run_id, attempt_key, queue, action, priority, visible_at, partition_key, due)
    select b.*
    from unnest(
        %(bench_run)s::uuid[], %(bench_key)s::text[], %(bench_queue)s::text[],
        %(bench_action)s::text[], %(bench_priority)s::bigint[],
        %(bench_visible_at)s::timestamptz[], %(bench_partition)s::text[], %(bench_due)s::boolean[]
    ) as b (run_id, attempt_key, queue, action, priority, visible_at, partition_key, due)
    join written as w on w.run_id = b.run_id
    on conflict (run_id, attempt_key) do update set
        queue = excluded.queue,
        action = excluded.action,
        priority = excluded.priority,
        visible_at = excluded.visible_at,
        partition_key = excluded.partition_key,
        due = excluded.due
);

-- part_run: The listed facts of runs.
run as materialized (
    select r.*
    from unnest(
        %(run_run)s::uuid[], %(run_workflow)s::text[], %(run_version)s::text[],
        %(run_fingerprint)s::text[], %(run_trigger)s::text[], %(run_status)s::text[],
        %(run_queue)s::text[], %(run_priority)s::bigint[], %(run_tags)s::text[],
        %(run_key)s::text[], %(run_partition_key)s::text[], %(run_created_at)s::timestamptz[],
        %(run_ended_at)s::timestamptz[], %(run_parent)s::text[], %(run_replayed_from)s::text[],
        %(run_forked_at)s::text[], %(run_error)s::text[], %(run_due_at)s::timestamptz[],
        %(run_due_soon_at)s::timestamptz[], %(run_escalated_at)s::timestamptz[]
    ) as r (
        run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    )
    join written as w on w.run_id = r.run_id
);

-- part_relisted: In the place of those that are there.
relisted as (
    update squidmesh.runs as x set (
        workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    ) = row (
        r.workflow, r.version, r.fingerprint, r."trigger", r.status, r.queue, r.priority, r.tags, r.key,
        r.partition_key, r.created_at, r.ended_at, r.parent, r.replayed_from, r.forked_at, r.error, r.due_at,
        r.due_soon_at, r.escalated_at
    )
    from run as r
    where x.run_id = r.run_id
    returning x.run_id
),
listed as (
    insert into squidmesh.runs (
        run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    )
    select r.* from run as r where not exists (select 1 from relisted as x where x.run_id = r.run_id)
);

-- part_listed: Where there can be none.
listed as (
    insert into squidmesh.runs (
        run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
        partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
        due_soon_at, escalated_at
    )
    select r.* from run as r
);

-- part_tags: The tags of these runs.
tag as materialized (
    select * from unnest(%(tag_run)s::uuid[], %(tag)s::text[]) as t (run_id, tag)
),
untagged as (
    delete from squidmesh.tags as x
    using run as r
    where x.run_id = r.run_id
        and not exists (select 1 from tag as t where t.run_id = x.run_id and t.tag = x.tag)
),
tagged as (
    insert into squidmesh.tags (run_id, tag)
    select t.run_id, t.tag
    from tag as t
    join written as w on w.run_id = t.run_id
    on conflict (run_id, tag) do nothing
);

-- part_correlations: What runs are found by, all of it anew.
correlation as materialized (
    select *
    from unnest(
        %(correlation_run)s::uuid[], %(correlation_workflow)s::text[],
        %(correlation_node)s::text[], %(correlation)s::text[], %(correlation_open)s::boolean[]
    ) as c (run_id, workflow, node, correlation, open)
),
uncorrelated as (
    delete from squidmesh.correlations as x
    using unnest(%(correlated_run)s::uuid[]) as r (run_id), written as w
    where w.run_id = r.run_id and x.run_id = r.run_id
        and not exists (
            select 1 from correlation as c
            where c.run_id = x.run_id and c.node = x.node and c.correlation = x.correlation
        )
),
correlated as (
    insert into squidmesh.correlations (run_id, workflow, node, correlation, open)
    select c.*
    from correlation as c
    join written as w on w.run_id = c.run_id
    on conflict (run_id, node, correlation) do update set
        workflow = excluded.workflow,
        open = excluded.open
);

-- part_notices: What the hooks of an event are to be told.
noticed as (
    insert into squidmesh.records (kind, key, version, body)
    select %(notice)s, h.key || ' ' || n.id, 1, n.body
    from unnest(
        %(notice_run)s::uuid[], %(notice_event)s::text[], %(notice_behind)s::text[],
        %(notice_id)s::text[], %(notice_body)s::text[]
    ) as n (run_id, event, behind, id, body)
    join written as w on w.run_id = n.run_id
    join squidmesh.records as h on h.kind = %(hook)s
        and h.key >= n.event collate "C" and h.key < n.behind collate "C"
    on conflict (kind, key) do nothing
);

-- outcome: Which appends were written.
select run_id::text, false from {written};

-- outcome_idle: The same, and whether another process waits for work of these queues.
select
    run_id::text,
    exists (
        select 1 from squidmesh.idle as i
        where i.queue = any(%(queues)s::text[]) and i.listener <> %(listener)s
            and i.until > clock_timestamp()
    )
from {written};

-- lock: Lock the rows of attempts in order, before a statement that changes them.
select 1
from (
    select *, row_number() over (order by run_id, attempt_key collate "C") as place  -- as above
    from unnest(%(named_run)s::uuid[], %(named_key)s::text[]) as n (run_id, attempt_key)
) as n
join squidmesh.waiting as w on w.run_id = n.run_id and w.attempt_key = n.attempt_key
order by n.place
for update of w;

-- lock_held: The same of claimed ones.
select 1
from (
    select *, row_number() over (order by run_id, attempt_key collate "C") as place  -- as above
    from unnest(%(named_run)s::uuid[], %(named_key)s::text[]) as n (run_id, attempt_key)
) as n
join squidmesh.held as h on h.run_id = n.run_id and h.attempt_key = n.attempt_key
order by n.place
for update of h;

-- lock_run: Lock the unclaimed attempts of a run.
select 1 from squidmesh.waiting where run_id = %(run_id)s::uuid order by attempt_key for update;

-- lock_run_held: Lock the claimed attempts of a run.
select 1 from squidmesh.held where run_id = %(run_id)s::uuid order by attempt_key for update;

-- lock_head: Keep others from appending to a run.
select last
from squidmesh.journal
where run_id = %(run_id)s::uuid
order by first desc
limit 1
for update;

-- head: Where a journal stands.
select last, at
from squidmesh.journal
where run_id = %(run_id)s::uuid
order by first desc
limit 1;

-- standing: Where journals stand, and whether they are marked as unreadable.
select r.run_id::text, coalesce(j.last, 0), q.run_id is not null
from unnest(%(runs)s::uuid[]) as r (run_id)
left join lateral (
    select last from squidmesh.journal as o
    where o.run_id = r.run_id order by o.first desc limit 1
) as j on true
left join squidmesh.quarantine as q on q.run_id = r.run_id;

-- load: Marks, usable checkpoints and appends of runs, or that a listed one has none, from one snapshot; of each the append before them first.
with wanted as materialized (
    select w.run_id, w.after
    from unnest(%(runs)s::uuid[], %(afters)s::bigint[]) as w (run_id, after)
),
usable as materialized (
    select c.run_id, c.revision, c.codec_version, c.hash, c.body
    from wanted as w
    join squidmesh.checkpoints as c on c.run_id = w.run_id
    cross join lateral (
        select o.last, o.hash from squidmesh.journal as o
        where o.run_id = c.run_id and o.first <= c.revision order by o.first desc limit 1
    ) as j
    where w.after = 0 and not %(whole)s::boolean
        and j.last = c.revision and encode(j.hash, 'hex') = c.hash
)
select w.run_id::text, 0, q.revision, null::bigint, null::text, null::timestamptz, q.reason,
    null::text, null::bytea, null::smallint
from wanted as w
join squidmesh.quarantine as q on q.run_id = w.run_id
union all
select u.run_id::text, 1, u.revision, u.codec_version, u.hash, null, u.body, null, null, null
from usable as u
union all
select w.run_id::text, 3, null, null, null, null, null, null, null, null
from wanted as w
join squidmesh.runs as r on r.run_id = w.run_id
where not exists (select 1 from squidmesh.journal as o where o.run_id = w.run_id)
union all
select w.run_id::text, 2, j.first, j.last, j.append_id, j.at, j.body, encode(j.hash, 'hex'),
    j.packed, j.codec
from wanted as w
join squidmesh.journal as j on j.run_id = w.run_id and j.first >= coalesce(
    (
        select o.first from squidmesh.journal as o
        where o.run_id = w.run_id and o.first <= coalesce(
            (select u.revision from usable as u where u.run_id = w.run_id), w.after
        )
        order by o.first desc
        limit 1
    ),
    0
)
order by 1, 2, 3;

-- stored: A page of the appends after a revision.
select first, last, append_id, at, body, encode(hash, 'hex'), packed
from squidmesh.journal
where run_id = %(run_id)s::uuid and first > %(after)s::bigint
order by first
limit %(limit)s::bigint;

-- find: The last revision of an append, the newest first.
select last
from squidmesh.journal
where run_id = %(run_id)s::uuid and append_id = %(append_id)s
order by first desc
limit 1;

-- run_ids: Ids of runs in order, by one seek into the index for each.
with recursive walk (run_id, number) as (
    (
        select j.run_id, 1 from squidmesh.journal as j
        where j.run_id > coalesce(%(after)s::uuid, '00000000-0000-0000-0000-000000000000')
        order by j.run_id
        limit 1
    )
    union all
    select n.run_id, walk.number + 1
    from walk
    cross join lateral (
        select j.run_id from squidmesh.journal as j
        where j.run_id > walk.run_id order by j.run_id limit 1
    ) as n
    where walk.number < %(limit)s::bigint
)
select run_id::text from walk order by run_id limit %(limit)s::bigint;

-- listed_ids: Ids of listed runs in order.
select r.run_id::text
from squidmesh.runs as r
where r.run_id > coalesce(%(after)s::uuid, '00000000-0000-0000-0000-000000000000')
order by r.run_id
limit %(limit)s::bigint;

-- run: The listed facts of a run.
select
    run_id::text, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
    due_soon_at, escalated_at
from squidmesh.runs
where run_id = %(run_id)s::uuid;

-- attempts: The attempts of a run, by key.
select run_id::text, attempt_key, queue, action, priority, visible_at, partition_key,
    null::timestamptz
from squidmesh.waiting
where run_id = %(run_id)s::uuid
union all
select run_id::text, attempt_key, queue, action, priority, visible_at, partition_key, held_until
from squidmesh.held
where run_id = %(run_id)s::uuid
order by attempt_key;

-- tags: The tags that find a run, in order.
select tag from squidmesh.tags where run_id = %(run_id)s::uuid order by tag;

-- correlations: What a run is found by, in order.
select run_id::text, workflow, node, correlation, open
from squidmesh.correlations
where run_id = %(run_id)s::uuid
order by node, correlation;

-- correlated: What a message finds; those that can take it come first.
select c.run_id::text, c.workflow, c.node, c.correlation, c.open
from squidmesh.correlations as c
where c.workflow = %(workflow)s and c.node = %(node)s and c.correlation = %(correlation)s
order by c.open desc, c.run_id
limit %(limit)s::bigint;

-- runs: Listed runs; which of them, and in what order, follows the last line.
select
    r.run_id::text, r.workflow, r.version, r.fingerprint, r."trigger", r.status, r.queue,
    r.priority, r.tags, r.key, r.partition_key, r.created_at, r.ended_at, r.parent,
    r.replayed_from, r.forked_at, r.error, r.due_at, r.due_soon_at, r.escalated_at, j.last,
    encode(j.hash, 'hex'), j.at, j.codec, q.revision, q.reason
from squidmesh.runs as r
cross join lateral (
    select o.last, o.hash, o.at, o.codec from squidmesh.journal as o
    where o.run_id = r.run_id order by o.first desc limit 1
) as j
left join squidmesh.quarantine as q on q.run_id = r.run_id
where true;

-- tally_runs: How many runs of each workflow have each status.
select workflow, status, count(*) from squidmesh.runs group by workflow, status;

-- tally_deadlines: How many runs of each workflow have a deadline that stands so, by the worst.
select
    workflow,
    case
        when escalated_at <= %(at)s::timestamptz then 'escalated'
        when due_at <= %(at)s::timestamptz then 'overdue'
        when due_soon_at <= %(at)s::timestamptz then 'due_soon'
        else 'on_time'
    end as standing,
    count(*)
from squidmesh.runs
where due_at is not null and ended_at is null
group by workflow, standing;

-- finished: Runs that ended before an instant and beyond a cursor, the oldest end first.
select
    run_id::text, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
    due_soon_at, escalated_at
from squidmesh.runs as r
where ended_at is not null and ended_at < %(before)s::timestamptz
    and (ended_at, run_id) > (%(ended_at)s::timestamptz, %(run_id)s::uuid)
    and exists (select 1 from squidmesh.journal as j where j.run_id = r.run_id)
order by ended_at, r.run_id
limit %(limit)s::bigint;

-- readable: Whether nobody has marked the run of an attempt `a`, and no newer release wrote to it last; `{readable}` of others.
not exists (select 1 from squidmesh.quarantine as q where q.run_id = a.run_id)
and (
    select j.codec from squidmesh.journal as j where j.run_id = a.run_id order by j.first desc limit 1
) <= %(codec)s::smallint;

-- glance: The clock, whether anything can be claimed, and when something will be; only reads.
with asked as materialized (
    select coalesce(%(at)s::timestamptz, clock_timestamp()) as now
)
select
    (select now from asked),
    exists (
        select 1
        from unnest(%(queues)s::text[]) as u (queue)
        cross join lateral (
            select 1 from squidmesh.waiting as a
            where a.due and a.queue = u.queue
                and (a.action is null or a.action = any(%(actions)s::text[]))
                and {readable}
            order by a.priority, a.visible_at, a.run_id, a.attempt_key
            limit 1
        ) as x
    )
    or exists (
        select 1
        from unnest(%(queues)s::text[]) as u (queue)
        cross join lateral (
            select 1 from squidmesh.waiting as a
            where not a.due and a.queue = u.queue and a.visible_at <= (select now from asked)
                and (a.action is null or a.action = any(%(actions)s::text[]))
                and {readable}
            order by a.visible_at
            limit 1
        ) as x
    )
    or exists (
        select 1 from squidmesh.held as a
        where a.held_until <= (select now from asked) and a.queue = any(%(queues)s::text[])
            and (a.action is null or a.action = any(%(actions)s::text[]))
            and {readable}
    ),
    least(
        (
            select min(x.visible_at)
            from unnest(%(queues)s::text[]) as u (queue)
            cross join lateral (
                select a.visible_at from squidmesh.waiting as a
                where not a.due and a.queue = u.queue
                    and a.visible_at > (select now from asked)
                    and {readable}
                order by a.visible_at
                limit 1
            ) as x
        ),
        (
            select min(a.held_until) from squidmesh.held as a
            where a.held_until > (select now from asked) and a.queue = any(%(queues)s::text[])
                and {readable}
        )
    );

-- foremost: Of each queue where something unclaimed can be claimed, the first priority; only reads.
select u.queue, least(f.priority, l.priority)
from unnest(%(queues)s::text[]) as u (queue)
left join lateral (
    select a.priority from squidmesh.waiting as a
    where a.due and a.queue = u.queue
        and (a.action is null or a.action = any(%(actions)s::text[]))
        and {readable}
    order by a.priority, a.visible_at, a.run_id, a.attempt_key
    limit 1
) as f on true
cross join lateral (
    -- These are in no order of priorities: more of them are for the next claim to promote.
    select min(d.priority) as priority
    from (
        select a.priority from squidmesh.waiting as a
        where not a.due and a.queue = u.queue
            and a.visible_at <= coalesce(%(at)s::timestamptz, now())
            and (a.action is null or a.action = any(%(actions)s::text[]))
            and {readable}
        order by a.visible_at
        limit 100
    ) as d
) as l
where f.priority is not null or l.priority is not null;

-- lane_states: What earlier claims of some queues left.
select s.key, s.body, s.version
from squidmesh.records as s
where s.kind = %(state)s and s.key = any(%(queues)s::text[]);

-- opening: The instant that a claim transaction judges by, whether any lease is past, and settings of its queues, locked; some delayed attempts that have become visible are due from now on.
with lane as materialized (
    select q.key, q.body, q.version
    from squidmesh.records as q
    where q.kind = %(settings)s and q.key = any(%(queues)s::text[])
    order by q.key
    for update
),
promoted as (
    update squidmesh.waiting set due = true
    where ctid = any(array(
        select p.place
        from unnest(%(queues)s::text[]) as u (queue)
        cross join lateral (
            select t.ctid as place from squidmesh.waiting as t
            where not t.due and t.queue = u.queue
                and t.visible_at <= coalesce(%(at)s::timestamptz, now())
            order by t.visible_at
            limit 1000
            for update skip locked
        ) as p
    ))
)
-- now() stands still in a transaction.
select
    coalesce(%(at)s::timestamptz, now()),
    exists (
        select 1 from squidmesh.held as h
        where h.held_until <= coalesce(%(at)s::timestamptz, now())
            and h.queue = any(%(queues)s::text[])
            and (h.action is null or h.action = any(%(actions)s::text[]))
    ),
    l.key, l.body, l.version
from (values (true)) as one
left join lane as l on true;

-- front: How many of the first attempts of several queues lie in each.
select f.queue, count(*)
from (
    select x.queue
    from unnest(%(queues)s::text[]) as u (queue)
    cross join lateral (
        select a.queue, a.priority, a.visible_at, a.run_id, a.attempt_key
        from squidmesh.waiting as a
        where a.due and a.queue = u.queue
            and (a.action is null or a.action = any(%(actions)s::text[]))
            and {readable}
        order by a.priority, a.visible_at, a.run_id, a.attempt_key
        limit {limit}
    ) as x
    where not exists (
        select 1 from squidmesh.records as l where l.kind = %(settings)s and l.key = u.queue
    )
    order by x.priority, x.visible_at, x.run_id, x.attempt_key
    limit {limit}
) as f
group by f.queue;

-- due: Attempts to claim in one queue without settings, in claim order, locked, with their heads, and all of a journal that is one append.
select
    w.run_id::text, w.attempt_key, w.queue, w.action, w.priority, w.visible_at,
    w.partition_key, null::timestamptz, j.last, encode(j.hash, 'hex'), j.at,
    case when j.first = 1 then j.append_id end, case when j.first = 1 then j.body end,
    case when j.first = 1 then j.packed end
from squidmesh.waiting as w
cross join lateral (
    select o.first, o.last, o.hash, o.at, o.codec, o.append_id, o.body, o.packed
    from squidmesh.journal as o
    where o.run_id = w.run_id order by o.first desc limit 1
) as j
where w.due and w.queue = %(queue)s
    and (w.priority, w.visible_at) >= (%(priority)s::bigint, %(visible_at)s::timestamptz)
    and (w.action is null or w.action = any(%(actions)s::text[]))
    and j.codec <= %(codec)s::smallint
    and not exists (select 1 from squidmesh.quarantine as q where q.run_id = w.run_id)
    and not exists (
        select 1 from squidmesh.records as l where l.kind = %(settings)s and l.key = %(queue)s
    )
order by w.priority, w.visible_at, w.run_id, w.attempt_key
limit {limit}
for update of w skip locked;

-- expired: The same of attempts whose lease is past, of several queues.
select
    h.run_id::text, h.attempt_key, h.queue, h.action, h.priority, h.visible_at,
    h.partition_key, h.held_until, j.last, encode(j.hash, 'hex'), j.at,
    case when j.first = 1 then j.append_id end, case when j.first = 1 then j.body end,
    case when j.first = 1 then j.packed end
from squidmesh.held as h
cross join lateral (
    select o.first, o.last, o.hash, o.at, o.codec, o.append_id, o.body, o.packed
    from squidmesh.journal as o
    where o.run_id = h.run_id order by o.first desc limit 1
) as j
where h.held_until <= coalesce(%(at)s::timestamptz, now())
    and h.queue = any(%(queues)s::text[])
    and (h.action is null or h.action = any(%(actions)s::text[]))
    and j.codec <= %(codec)s::smallint
    and not exists (select 1 from squidmesh.quarantine as q where q.run_id = h.run_id)
    and not exists (
        select 1 from squidmesh.records as l where l.kind = %(settings)s and l.key = h.queue
    )
order by h.priority, h.visible_at, h.run_id, h.attempt_key
limit {limit}
for update of h skip locked;

-- next_due: The first instant after a claim's at which something of these queues becomes due.
select least(
    (
        select min(x.visible_at)
        from unnest(%(queues)s::text[]) as u (queue)
        cross join lateral (
            select a.visible_at from squidmesh.waiting as a
            where not a.due and a.queue = u.queue and a.visible_at > %(now)s::timestamptz
                and {readable}
            order by a.visible_at
            limit 1
        ) as x
    ),
    (
        select min(a.held_until) from squidmesh.held as a
        where a.held_until > %(now)s::timestamptz and a.queue = any(%(queues)s::text[])
            and {readable}
    )
);

-- clock: The clock's reading, if no instant is given.
select coalesce(%(at)s::timestamptz, clock_timestamp());

-- lane_held: How many attempts of one queue are held, by partition key.
select partition_key, count(*)
from squidmesh.held
where queue = %(queue)s and held_until > %(now)s::timestamptz
group by partition_key;

-- lane_front: The first attempts of one queue, in claim order, whatever their key.
select
    a.run_id::text, a.attempt_key, a.queue, a.action, a.priority, a.visible_at, a.partition_key,
    null::timestamptz
from squidmesh.waiting as a
where a.due and a.queue = %(queue)s
    and (a.action is null or a.action = any(%(actions)s::text[]))
    and {readable}
order by a.priority, a.visible_at, a.run_id, a.attempt_key
limit {limit};

-- lane_keys: Some attempts of each partition key of one queue, by one seek into the index for each.
with recursive walk (partition_key) as (
    (
        select a.partition_key from squidmesh.waiting as a
        where a.due and a.queue = %(queue)s and a.partition_key is not null
        order by a.partition_key
        limit 1
    )
    union all
    select n.partition_key
    from walk
    cross join lateral (
        select a.partition_key from squidmesh.waiting as a
        where a.due and a.queue = %(queue)s and a.partition_key > walk.partition_key
        order by a.partition_key
        limit 1
    ) as n
)
select x.run_id::text, x.attempt_key, x.queue, x.action, x.priority, x.visible_at, x.partition_key,
    null::timestamptz
from (
    select k.*
    from walk
    cross join lateral (
        select a.* from squidmesh.waiting as a
        where a.due and a.queue = %(queue)s and a.partition_key = walk.partition_key
            and (a.action is null or a.action = any(%(actions)s::text[]))
            and {readable}
        order by a.priority, a.visible_at, a.run_id, a.attempt_key
        limit {limit}
    ) as k
    union all
    (
        select a.* from squidmesh.waiting as a
        where a.due and a.queue = %(queue)s and a.partition_key is null
            and (a.action is null or a.action = any(%(actions)s::text[]))
            and {readable}
        order by a.priority, a.visible_at, a.run_id, a.attempt_key
        limit {limit}
    )
) as x;

-- lane_expired: Attempts of one queue whose lease is past.
select
    a.run_id::text, a.attempt_key, a.queue, a.action, a.priority, a.visible_at, a.partition_key,
    a.held_until
from squidmesh.held as a
where a.queue = %(queue)s and a.held_until <= %(now)s::timestamptz
    and (a.action is null or a.action = any(%(actions)s::text[]))
    and {readable};

-- lane_waiting_locked: Those of some unclaimed attempts that nobody else is at, with their heads.
select
    w.run_id::text, w.attempt_key, w.queue, w.action, w.priority, w.visible_at,
    w.partition_key, null::timestamptz, j.last, encode(j.hash, 'hex'), j.at
from unnest(%(named_run)s::uuid[], %(named_key)s::text[]) as n (run_id, attempt_key)
join squidmesh.waiting as w on w.run_id = n.run_id and w.attempt_key = n.attempt_key
cross join lateral (
    select o.last, o.hash, o.at, o.codec from squidmesh.journal as o
    where o.run_id = w.run_id order by o.first desc limit 1
) as j
where w.due and w.queue = %(queue)s
for update of w skip locked;

-- lane_held_locked: The same of attempts whose lease is past.
select
    h.run_id::text, h.attempt_key, h.queue, h.action, h.priority, h.visible_at,
    h.partition_key, h.held_until, j.last, encode(j.hash, 'hex'), j.at
from unnest(%(named_run)s::uuid[], %(named_key)s::text[]) as n (run_id, attempt_key)
join squidmesh.held as h on h.run_id = n.run_id and h.attempt_key = n.attempt_key
cross join lateral (
    select o.last, o.hash, o.at, o.codec from squidmesh.journal as o
    where o.run_id = h.run_id order by o.first desc limit 1
) as j
where h.queue = %(queue)s and h.held_until <= %(now)s::timestamptz
for update of h skip locked;

-- clear_waiting: Forget the unclaimed attempts of a run.
delete from squidmesh.waiting where run_id = %(run_id)s::uuid;

-- clear_held: Forget the claimed attempts of a run.
delete from squidmesh.held where run_id = %(run_id)s::uuid;

-- clear_tags: Forget the tags of a run.
delete from squidmesh.tags where run_id = %(run_id)s::uuid;

-- clear_correlations: Forget what a run is found by.
delete from squidmesh.correlations where run_id = %(run_id)s::uuid;

-- clear_journal: Forget all appends of a run.
delete from squidmesh.journal where run_id = %(run_id)s::uuid;

-- drop_run: Forget the listed facts of a run.
delete from squidmesh.runs where run_id = %(run_id)s::uuid;

-- tombstone: What stands in the place of a forgotten journal.
insert into squidmesh.journal (run_id, first, last, at, codec, append_id, hash, body)
values (
    %(run_id)s::uuid, %(first)s::bigint, %(last)s::bigint, %(at)s::timestamptz,
    %(codec)s::smallint, %(append_id)s::text, decode(%(hash)s, 'hex'), %(body)s::text
);

-- quarantine: Mark a run as unreadable.
insert into squidmesh.quarantine (run_id, revision, reason)
values (%(run_id)s::uuid, %(revision)s::bigint, %(reason)s)
on conflict (run_id) do update set revision = excluded.revision, reason = excluded.reason;

-- drop_quarantine: Lift the mark.
delete from squidmesh.quarantine where run_id = %(run_id)s::uuid;

-- definition: The text stored under a fingerprint.
select text from squidmesh.definitions where fingerprint = %(fingerprint)s;

-- put_definition: Store a definition; the first one stays.
insert into squidmesh.definitions (fingerprint, text) values (%(fingerprint)s, %(text)s)
on conflict (fingerprint) do nothing;

-- checkpoint: The stored state of a run.
select revision, hash, codec_version, body
from squidmesh.checkpoints
where run_id = %(run_id)s::uuid;

-- put_checkpoint: Store a state of a run in the place of the last one.
insert into squidmesh.checkpoints (run_id, revision, hash, codec_version, body)
values (
    %(run_id)s::uuid, %(revision)s::bigint, %(hash)s, %(codec_version)s::integer, %(body)s
)
on conflict (run_id) do update set
    revision = excluded.revision,
    hash = excluded.hash,
    codec_version = excluded.codec_version,
    body = excluded.body;

-- drop_checkpoint: Forget the stored state of a run.
delete from squidmesh.checkpoints where run_id = %(run_id)s::uuid;

-- records: The records of a kind, by key, with a prefix and behind a key.
select key, body, version
from squidmesh.records
where kind = %(kind)s and key >= %(from)s and key <> %(after)s
    and (%(behind)s::text is null or key < %(behind)s::text collate "C")
order by key
limit %(limit)s::bigint;

-- record: Whether there is a record.
select version from squidmesh.records where kind = %(kind)s and key = %(key)s;

-- put_record: Store a record, whatever is there.
insert into squidmesh.records as r (kind, key, version, body)
select %(kind)s, %(key)s, 1, %(body)s
from (
    select set_config(
        'synchronous_commit',
        case current_setting('synchronous_commit')
            when 'off' then 'on' else current_setting('synchronous_commit')
        end,
        true
    )
) as durable
on conflict (kind, key) do update set version = r.version + 1, body = excluded.body
returning version;

-- add_record: Store a record, if there is none.
insert into squidmesh.records (kind, key, version, body)
values (%(kind)s, %(key)s, 1, %(body)s)
on conflict (kind, key) do nothing
returning version;

-- change_record: Store a record, if its version is the one expected.
update squidmesh.records set version = version + 1, body = %(body)s
where kind = %(kind)s and key = %(key)s and version = %(expected)s::bigint
returning version;

-- drop_record: Forget a record, if its version is the one expected; null: any.
delete from squidmesh.records
where kind = %(kind)s and key = %(key)s
    and (%(expected)s::bigint is null or version = %(expected)s::bigint)
returning version;

-- idle: This process waits for work of some queues, for so many seconds.
with swept as (
    delete from squidmesh.idle where until < clock_timestamp() - interval '10 minutes'
)
insert into squidmesh.idle (listener, queue, until)
select %(listener)s, u.queue, clock_timestamp() + make_interval(secs => %(seconds)s::float8)
from unnest(%(queues)s::text[]) as u (queue)
on conflict (listener, queue) do update set until = excluded.until;

-- busy: This process does not wait for work of some queues any more.
delete from squidmesh.idle
where listener = %(listener)s and queue = any(%(queues)s::text[]);

-- notify: Tell processes that listen.
select pg_notify(%(channel)s, %(payload)s);

-- survey_schema: The number of the newest migration.
select version from squidmesh.schema;

-- survey_runs: How many listed runs have each status.
select r.status, count(*)
from squidmesh.runs as r
where exists (select 1 from squidmesh.journal as j where j.run_id = r.run_id)
group by r.status;

-- survey_quarantined: Every mark.
select q.run_id::text, q.revision, q.reason from squidmesh.quarantine as q order by q.run_id;

-- survey_newer: Runs with attempts that only a newer process may claim.
select o.run_id::text
from (select run_id from squidmesh.waiting union select run_id from squidmesh.held) as o
where (
    select j.codec from squidmesh.journal as j
    where j.run_id = o.run_id order by j.first desc limit 1
) > %(codec)s::smallint
order by o.run_id;

-- survey_actions: How many attempts need each action.
select o.action, count(*)
from (
    select action from squidmesh.waiting where action is not null
    union all
    select action from squidmesh.held where action is not null
) as o
group by o.action;

-- survey_queues: How much lies in each queue, and how long the longest has been waiting.
select
    a.queue,
    count(*) filter (where a.ready),
    count(*) filter (where a.delayed),
    count(*) filter (where a.held),
    min(a.since)
from (
    select
        run_id,
        queue,
        due or visible_at <= %(now)s::timestamptz as ready,
        not due and visible_at > %(now)s::timestamptz as delayed,
        false as held,
        case when due or visible_at <= %(now)s::timestamptz then visible_at end as since
    from squidmesh.waiting
    union all
    select
        run_id,
        queue,
        held_until <= %(now)s::timestamptz,
        false,
        held_until > %(now)s::timestamptz,
        null
    from squidmesh.held
) as a
where {readable}
group by a.queue;

-- survey_facts: Settings that durability and speed rest on, whether anything can be written, and sizes in bytes.
select
    current_setting('server_version'),
    current_setting('fsync'),
    current_setting('synchronous_commit'),
    current_setting('full_page_writes'),
    case
        when pg_is_in_recovery() then 'no: it is a standby'
        when current_setting('default_transaction_read_only')::boolean
            then 'no: default_transaction_read_only is on'
        when not has_table_privilege('squidmesh.journal', 'insert')
            then 'no: ' || current_user || ' may only read'
        else 'yes'
    end,
    pg_total_relation_size('squidmesh.journal'::regclass)::bigint,
    pg_total_relation_size('squidmesh.runs'::regclass)::bigint,
    (
        pg_total_relation_size('squidmesh.waiting'::regclass)
        + pg_total_relation_size('squidmesh.held'::regclass)
    )::bigint,
    pg_database_size(current_database())::bigint;
