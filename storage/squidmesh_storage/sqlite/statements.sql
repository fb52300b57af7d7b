-- Every statement of the adapter: its name, one line of purpose, the statement.

-- append: Write an append if its predecessor is the head, unless the run is quarantined.
insert into squidmesh_journal (run_id, first, last, append_id, at, stored_at, body, hash, codec)
select ?, ?, ?, ?, ?, ?, ?, ?, ?
where ? = coalesce(
    (select last from squidmesh_journal where run_id = ? order by first desc limit 1), 0
)
and not exists (select 1 from squidmesh_quarantine where run_id = ?);

-- head: Where a journal stands.
select last, lower(hex(hash)), at
from squidmesh_journal
where run_id = ?
order by first desc
limit 1;

-- codec: What a process has to know to read a run: the codec of its last append.
select codec from squidmesh_journal where run_id = ? order by first desc limit 1;

-- heads: Where some journals stand.
select j.run_id, j.last, lower(hex(j.hash)), j.at
from json_each(?) as asked
cross join squidmesh_journal as j
    on j.run_id = asked.value
    and j.first = (select max(first) from squidmesh_journal where run_id = asked.value);

-- begun: The appends of those journals that are one append.
select j.run_id, j.first, j.last, j.append_id, j.at, j.body, lower(hex(j.hash))
from json_each(?) as asked
cross join squidmesh_journal as j on j.run_id = asked.value and j.first = 1
where not exists (
    select 1 from squidmesh_journal as o where o.run_id = asked.value and o.first > 1
);

-- before: The last append that begins at or before a revision.
select first, last, append_id, at, body, lower(hex(hash))
from squidmesh_journal
where run_id = ? and first <= ?
order by first desc
limit 1;

-- after: The appends that begin after a revision, in order.
select first, last, append_id, at, body, lower(hex(hash))
from squidmesh_journal
where run_id = ? and first > ?
order by first;

-- stored: The first appends that begin after a revision.
select first, last, append_id, at, body, lower(hex(hash))
from squidmesh_journal
where run_id = ? and first > ?
order by first
limit ?;

-- find: The last revision of an append of a run, by its id; the newest are looked at first.
select last
from squidmesh_journal
where run_id = ? and append_id = ?
order by first desc
limit 1;

-- clear_journal: Forget the appends of a run.
delete from squidmesh_journal where run_id = ?;

-- run_ids: Ids of runs in order, by one seek into the index for each.
with recursive walk (run_id, number) as (
    select min(run_id), 1 from squidmesh_journal where run_id > :after
    union all
    select
        (select min(run_id) from squidmesh_journal where run_id > walk.run_id),
        walk.number + 1
    from walk
    where walk.run_id is not null and walk.number < :limit
)
select run_id from walk where run_id is not null;

-- listed_ids: Ids of listed runs in order.
select run_id from squidmesh_runs where run_id > ? order by run_id limit ?;

-- put_waiting: Store an unclaimed attempt.
insert into squidmesh_waiting
    (run_id, attempt_key, queue, action, priority, visible_at, partition_key, due)
values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (run_id, attempt_key) do update set
    queue = excluded.queue,
    action = excluded.action,
    priority = excluded.priority,
    visible_at = excluded.visible_at,
    partition_key = excluded.partition_key,
    due = excluded.due;

-- put_held: Store a claimed attempt.
insert into squidmesh_held
    (run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until)
values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (run_id, attempt_key) do update set
    queue = excluded.queue,
    action = excluded.action,
    priority = excluded.priority,
    visible_at = excluded.visible_at,
    partition_key = excluded.partition_key,
    held_until = excluded.held_until;

-- move_held: Put a claimed attempt in the place of another of its run, unless it is unclaimed yet.
update or replace squidmesh_held set
    attempt_key = ?,
    queue = ?,
    action = ?,
    priority = ?,
    visible_at = ?,
    partition_key = ?,
    held_until = ?
where run_id = ? and attempt_key = ?
    and not exists (select 1 from squidmesh_waiting where run_id = ? and attempt_key = ?);

-- drop_waiting: Forget an unclaimed attempt.
delete from squidmesh_waiting where run_id = ? and attempt_key = ?;

-- drop_held: Forget a claimed attempt.
delete from squidmesh_held where run_id = ? and attempt_key = ?;

-- clear_waiting: Forget the unclaimed attempts of a run.
delete from squidmesh_waiting where run_id = ?;

-- clear_held: Forget the claimed attempts of a run.
delete from squidmesh_held where run_id = ?;

-- attempts: The attempts of a run, by key.
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, null
from squidmesh_waiting
where run_id = ?
union all
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until
from squidmesh_held
where run_id = ?
order by 2;

-- clear_correlations: Forget what a run is found by.
delete from squidmesh_correlations where run_id = ?;

-- put_correlation: Store one thing that a run is found by.
insert into squidmesh_correlations (run_id, workflow, node, correlation, open)
values (?, ?, ?, ?, ?);

-- correlations: What a run is found by, in order.
select run_id, workflow, node, correlation, open
from squidmesh_correlations
where run_id = ?
order by node, correlation;

-- correlated: What a message finds; those that can take it come first.
select run_id, workflow, node, correlation, open
from squidmesh_correlations
where workflow = ? and node = ? and correlation = ?
order by open desc, run_id
limit ?;

-- drop_run: Forget the listed facts of a run.
delete from squidmesh_runs where run_id = ?;

-- put_run: Store the listed facts of a run.
insert into squidmesh_runs (
    run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
    due_soon_at, escalated_at
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (run_id) do update set
    workflow = excluded.workflow,
    version = excluded.version,
    fingerprint = excluded.fingerprint,
    "trigger" = excluded."trigger",
    status = excluded.status,
    queue = excluded.queue,
    priority = excluded.priority,
    tags = excluded.tags,
    key = excluded.key,
    partition_key = excluded.partition_key,
    created_at = excluded.created_at,
    ended_at = excluded.ended_at,
    parent = excluded.parent,
    replayed_from = excluded.replayed_from,
    forked_at = excluded.forked_at,
    error = excluded.error,
    due_at = excluded.due_at,
    due_soon_at = excluded.due_soon_at,
    escalated_at = excluded.escalated_at;

-- clear_tags: Forget the tags of a run.
delete from squidmesh_tags where run_id = ?;

-- put_tag: Store a tag of a run.
insert or ignore into squidmesh_tags (run_id, tag) values (?, ?);

-- tags: The tags that find a run, in order.
select tag from squidmesh_tags where run_id = ? order by tag;

-- run: The listed facts of a run.
select
    run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
    due_soon_at, escalated_at
from squidmesh_runs
where run_id = ?;

-- runs: Listed runs; which of them, and in what order, follows the last line.
select
    r.run_id, r.workflow, r.version, r.fingerprint, r."trigger", r.status, r.queue, r.priority,
    r.tags, r.key, r.partition_key, r.created_at, r.ended_at, r.parent, r.replayed_from,
    r.forked_at, r.error, r.due_at, r.due_soon_at, r.escalated_at, j.last, lower(hex(j.hash)),
    j.at, j.codec, q.revision, q.reason
from squidmesh_runs as r
cross join squidmesh_journal as j
    on j.run_id = r.run_id
    and j.first = (select max(first) from squidmesh_journal where run_id = r.run_id)
left join squidmesh_quarantine as q on q.run_id = r.run_id
where true;

-- tally_runs: How many runs of each workflow have each status; row by row is quicker than by index.
select workflow, status, count(*) from squidmesh_runs not indexed group by workflow, status;

-- tally_deadlines: How many runs of each workflow have a deadline that stands so, by the worst.
select
    workflow,
    case
        when escalated_at <= :at then 'escalated'
        when due_at <= :at then 'overdue'
        when due_soon_at <= :at then 'due_soon'
        else 'on_time'
    end as standing,
    count(*)
from squidmesh_runs indexed by squidmesh_runs_due
where due_at is not null and ended_at is null
group by workflow, standing;

-- finished: Runs that ended before an instant and beyond a cursor, the oldest end first.
select
    run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error, due_at,
    due_soon_at, escalated_at
from squidmesh_runs as r
where ended_at < :before and (ended_at, run_id) > (:ended_at, :run_id)
    and exists (select 1 from squidmesh_journal as j where j.run_id = r.run_id)
order by ended_at, run_id
limit :limit;

-- readable: Whether nobody has marked the run of an attempt `a`, and no newer release wrote to it last; `{readable}` of others.
not exists (select 1 from squidmesh_quarantine as q where q.run_id = a.run_id)
and (
    select j.codec from squidmesh_journal as j where j.run_id = a.run_id order by j.first desc limit 1
) <= :codec;

-- due: Attempts to claim in one queue, in claim order.
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, null
from squidmesh_waiting as a
where due = 1 and queue = :queue
    and (action is null or action in (select value from json_each(:actions)))
    and {readable}
order by priority, visible_at, run_id, attempt_key
limit :limit;

-- expired: Attempts of one queue whose lease is past, in claim order.
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until
from squidmesh_held as a
where held_until <= :now and queue = :queue
    and (action is null or action in (select value from json_each(:actions)))
    and {readable}
order by priority, visible_at, run_id, attempt_key
limit :limit;

-- overdue: Whether a delayed attempt of one queue has become visible.
select exists (
    select 1
    from squidmesh_waiting as a
    where due = 0 and queue = :queue and visible_at <= :now
        and (action is null or action in (select value from json_each(:actions)))
        and {readable}
);

-- foremost: The most urgent priority that waits in one queue; null: nothing does.
select min(priority)
from (
    select *
    from (
        select priority
        from squidmesh_waiting as a
        where due = 1 and queue = :queue
            and (action is null or action in (select value from json_each(:actions)))
            and {readable}
        order by priority, visible_at, run_id, attempt_key
        limit 1
    )
    union all
    -- These are in no order of priorities: more of them are for the next claim to promote.
    select *
    from (
        select priority
        from squidmesh_waiting as a
        where due = 0 and queue = :queue and visible_at <= :now
            and (action is null or action in (select value from json_each(:actions)))
            and {readable}
        order by visible_at
        limit 100
    )
);

-- promote: Delayed attempts of one queue that have become visible are due from now on.
update squidmesh_waiting set due = 1
where due = 0 and queue = :queue and visible_at <= :now;

-- next_due: When the next delayed attempt of one queue becomes visible; when its next lease is past.
select
    (
        select visible_at
        from squidmesh_waiting as a
        where due = 0 and queue = :queue and visible_at > :now
            and {readable}
        order by visible_at
        limit 1
    ),
    (
        select min(held_until)
        from squidmesh_held as a
        where queue = :queue and held_until > :now
            and {readable}
    );

-- lanes: The settings of those of some queues that have any, and what earlier claims left.
select q.key, q.body, q.version, s.body, s.version
from squidmesh_records as q
left join squidmesh_records as s on s.kind = :state and s.key = q.key
where q.kind = :settings and q.key in (select value from json_each(:queues))
order by q.key;

-- held_by_key: How many attempts of one queue are held, by partition key.
select partition_key, count(*)
from squidmesh_held
where queue = ? and held_until > ?
group by partition_key;

-- many_keys: Whether more than so many partition keys wait in one queue.
with recursive keys (partition_key) as (
    select (select min(partition_key) from squidmesh_waiting where due = 1 and queue = :queue)
    union all
    select (
        select min(w.partition_key) from squidmesh_waiting as w
        where due = 1 and queue = :queue and w.partition_key > keys.partition_key
    )
    from keys where keys.partition_key is not null
)
select count(*) > :many from (select 1 from keys limit :many + 1);

-- due_by_key: The first attempts to claim of each partition key in one queue, in claim order.
with recursive keys (partition_key) as (
    select (select min(partition_key) from squidmesh_waiting where due = 1 and queue = :queue)
    union all
    select (
        select min(w.partition_key) from squidmesh_waiting as w
        where due = 1 and queue = :queue and w.partition_key > keys.partition_key
    )
    -- The null that ends the walk stands for the attempts without a key.
    from keys where keys.partition_key is not null
)
select
    w.run_id, w.attempt_key, w.queue, w.action, w.priority, w.visible_at, w.partition_key, null
from keys
cross join squidmesh_waiting as w
where (w.run_id, w.attempt_key) in (
    select a.run_id, a.attempt_key
    from squidmesh_waiting as a
    where a.due = 1 and a.queue = :queue and a.partition_key is keys.partition_key
        and (a.action is null or a.action in (select value from json_each(:actions)))
        and {readable}
    order by a.priority, a.visible_at, a.run_id, a.attempt_key
    limit :each
)
order by w.priority, w.visible_at, w.run_id, w.attempt_key
limit :limit;

-- quarantine: Where and why a run is marked as unreadable.
select revision, reason from squidmesh_quarantine where run_id = ?;

-- put_quarantine: Mark a run as unreadable.
insert into squidmesh_quarantine (run_id, revision, reason) values (?, ?, ?)
on conflict (run_id) do update set revision = excluded.revision, reason = excluded.reason;

-- drop_quarantine: Lift the mark.
delete from squidmesh_quarantine where run_id = ?;

-- definition: The text stored under a fingerprint.
select text from squidmesh_definitions where fingerprint = ?;

-- put_definition: Store a definition; the first one stays.
insert or ignore into squidmesh_definitions (fingerprint, text) values (?, ?);

-- checkpoint: The stored state of a run.
select revision, hash, codec_version, body from squidmesh_checkpoints where run_id = ?;

-- put_checkpoint: Store a state of a run in the place of the last one.
insert into squidmesh_checkpoints (run_id, revision, hash, codec_version, body)
values (?, ?, ?, ?, ?)
on conflict (run_id) do update set
    revision = excluded.revision,
    hash = excluded.hash,
    codec_version = excluded.codec_version,
    body = excluded.body;

-- drop_checkpoint: Forget the stored state of a run.
delete from squidmesh_checkpoints where run_id = ?;

-- records: The records of a kind, by key, with a prefix and behind a key.
select key, body, version
from squidmesh_records
where kind = :kind and key >= :from and key < :behind and key <> :after
order by key
limit :limit;

-- record: The version of a record.
select version from squidmesh_records where kind = ? and key = ?;

-- put_record: Store a record, if its version is the one expected; 0: there is none, null: any.
insert into squidmesh_records (kind, key, version, body)
select :kind, :key, 1, :body
where :expected is null or :expected = coalesce(
    (select version from squidmesh_records where kind = :kind and key = :key), 0
)
on conflict (kind, key) do update set version = version + 1, body = excluded.body;

-- put_notice: Store what the hooks of an event are to be told.
insert or ignore into squidmesh_records (kind, key, version, body)
select :notice, key || ' ' || :id, 1, :body
from squidmesh_records
where kind = :hook and key >= :event and key < :behind;

-- drop_record: Forget a record, if its version is the one expected; null: any.
delete from squidmesh_records
where kind = :kind and key = :key and (:expected is null or version = :expected);

-- survey_schema: The number of the newest migration.
select version from squidmesh_schema;

-- survey_runs: How many listed runs have each status.
select status, count(*) from squidmesh_runs as r
where exists (select 1 from squidmesh_journal as j where j.run_id = r.run_id)
group by status;

-- survey_quarantined: Every mark.
select run_id, revision, reason from squidmesh_quarantine order by run_id;

-- survey_newer: Runs with attempts that only a newer process may claim.
select run_id
from (select run_id from squidmesh_waiting union select run_id from squidmesh_held) as o
where (
    select j.codec from squidmesh_journal as j
    where j.run_id = o.run_id order by j.first desc limit 1
) > :codec
order by run_id;

-- survey_actions: How many attempts need each action.
select action, count(*)
from (
    select action from squidmesh_waiting where action is not null
    union all
    select action from squidmesh_held where action is not null
)
group by action;

-- survey_queues: How much lies in each queue, and how long the longest has been waiting.
select queue, sum(ready), sum(delayed), sum(held), min(since)
from (
    select
        run_id,
        queue,
        due = 1 or visible_at <= :now as ready,
        due = 0 and visible_at > :now as delayed,
        0 as held,
        iif(due = 1 or visible_at <= :now, visible_at, null) as since
    from squidmesh_waiting
    union all
    select run_id, queue, held_until <= :now, 0, held_until > :now, null
    from squidmesh_held
) as a
where {readable}
group by queue;
