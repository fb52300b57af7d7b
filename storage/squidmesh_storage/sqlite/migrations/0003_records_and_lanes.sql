-- expand: small facts outside runs, queues with limits, runs in the order they ended.

create table squidmesh_records (
    kind text not null,
    key text not null,
    version integer not null,
    body text not null,
    primary key (kind, key)
) strict, without rowid;

-- The claim order of each partition key by itself, for queues that have settings.
-- Attempts without a key stand in it too: behind a long backlog of others no
-- claim would find them.
create index squidmesh_waiting_lane
    on squidmesh_waiting
        (queue, partition_key, priority, visible_at, run_id, attempt_key, action)
    where due = 1;

create index squidmesh_runs_ended on squidmesh_runs (ended_at, run_id)
    where ended_at is not null;
