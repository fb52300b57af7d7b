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
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
    error = excluded.error;

-- clear_tags: Forget the tags of a run.
delete from squidmesh_tags where run_id = ?;

-- put_tag: Store a tag of a run.
insert or ignore into squidmesh_tags (run_id, tag) values (?, ?);

-- run: The listed facts of a run.
select
    run_id, workflow, version, fingerprint, "trigger", status, queue, priority, tags, key,
    partition_key, created_at, ended_at, parent, replayed_from, forked_at, error
from squidmesh_runs
where run_id = ?;

-- runs: Runs before a cursor, newest first; the filters that are asked for follow the last line.
select
    r.run_id, r.workflow, r.version, r.fingerprint, r."trigger", r.status, r.queue, r.priority,
    r.tags, r.key, r.partition_key, r.created_at, r.ended_at, r.parent, r.replayed_from,
    r.forked_at, r.error, j.last, lower(hex(j.hash)), j.at, j.codec, q.revision, q.reason
from squidmesh_runs as r
cross join squidmesh_journal as j
    on j.run_id = r.run_id
    and j.first = (select max(first) from squidmesh_journal where run_id = r.run_id)
left join squidmesh_quarantine as q on q.run_id = r.run_id
where (r.created_at, r.run_id) < (:created_at, :run_id);

-- due: Attempts to claim in one queue, in claim order.
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, null
from squidmesh_waiting as w
where due = 1 and queue = :queue
    and (action is null or action in (select value from json_each(:actions)))
    and not exists (select 1 from squidmesh_quarantine as q where q.run_id = w.run_id)
    and (
        select j.codec from squidmesh_journal as j
        where j.run_id = w.run_id order by j.first desc limit 1
    ) <= :codec
order by priority, visible_at, run_id, attempt_key
limit :limit;

-- expired: Attempts of one queue whose lease is past, in claim order.
select run_id, attempt_key, queue, action, priority, visible_at, partition_key, held_until
from squidmesh_held as h
where held_until <= :now and queue = :queue
    and (action is null or action in (select value from json_each(:actions)))
    and not exists (select 1 from squidmesh_quarantine as q where q.run_id = h.run_id)
    and (
        select j.codec from squidmesh_journal as j
        where j.run_id = h.run_id order by j.first desc limit 1
    ) <= :codec
order by priority, visible_at, run_id, attempt_key
limit :limit;

-- overdue: Whether a delayed attempt of one queue has become visible.
select exists (
    select 1
    from squidmesh_waiting as w
    where due = 0 and queue = :queue and visible_at <= :now
        and (action is null or action in (select value from json_each(:actions)))
        and not exists (select 1 from squidmesh_quarantine as q where q.run_id = w.run_id)
        and (
            select j.codec from squidmesh_journal as j
            where j.run_id = w.run_id order by j.first desc limit 1
        ) <= :codec
);

-- promote: Delayed attempts of one queue that have become visible are due from now on.
update squidmesh_waiting set due = 1
where due = 0 and queue = :queue and visible_at <= :now;

-- next_delayed: When the next delayed attempt of one queue becomes visible.
select visible_at
from squidmesh_waiting as w
where due = 0 and queue = :queue and visible_at > :now
    and not exists (select 1 from squidmesh_quarantine as q where q.run_id = w.run_id)
    and (
        select j.codec from squidmesh_journal as j
        where j.run_id = w.run_id order by j.first desc limit 1
    ) <= :codec
order by visible_at
limit 1;

-- next_expiry: When the next lease in one queue is past.
select min(held_until)
from squidmesh_held as h
where queue = :queue and held_until > :now
    and not exists (select 1 from squidmesh_quarantine as q where q.run_id = h.run_id)
    and (
        select j.codec from squidmesh_journal as j
        where j.run_id = h.run_id order by j.first desc limit 1
    ) <= :codec;

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

-- survey_waiting: Since when the attempt has been claimable that has waited longest.
select min(visible_at)
from squidmesh_waiting as w
where (due = 1 or visible_at <= :now)
    and not exists (select 1 from squidmesh_quarantine as q where q.run_id = w.run_id)
    and (
        select j.codec from squidmesh_journal as j
        where j.run_id = w.run_id order by j.first desc limit 1
    ) <= :codec;
