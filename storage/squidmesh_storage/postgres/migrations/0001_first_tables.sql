-- expand: the first tables.
--
-- `squidmesh.` stands for the schema and prefix that are configured, `squidmesh_`
-- for the prefix of a name that has no schema.  Texts that order something are of
-- collation C: the order of code points, whatever the database's own is.

create table squidmesh.schema (
    version integer not null,
    -- The number that a process has to know at least to work with these tables.
    oldest integer not null
);

insert into squidmesh.schema (version, oldest) values (0, 0);

-- The journals, one row for each append.
create table squidmesh.journal (
    run_id uuid not null,
    first bigint not null,
    last bigint not null,
    at timestamptz not null,
    stored_at timestamptz not null default clock_timestamp(),
    codec smallint not null,
    append_id text not null,
    hash bytea not null,
    body text not null,
    primary key (run_id, first)
);

-- Unclaimed attempts.  Delayed ones (not due) stay out of the claim order until the
-- timer index promotes them: a million timers cost a poll nothing.  Of an attempt
-- key what follows the run id.
create table squidmesh.waiting (
    run_id uuid not null,
    visible_at timestamptz not null,
    priority bigint not null,
    due boolean not null,
    attempt_key text collate "C" not null,
    queue text collate "C" not null,
    action text,
    partition_key text collate "C",
    primary key (run_id, attempt_key)
) with (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

create index squidmesh_waiting_due
    on squidmesh.waiting (queue, priority, visible_at, run_id, attempt_key)
    where due;

create index squidmesh_waiting_timer
    on squidmesh.waiting (queue, visible_at)
    where not due;

-- The claim order of each partition key by itself, for queues that have settings.
create index squidmesh_waiting_lane
    on squidmesh.waiting (queue, partition_key, priority, visible_at, run_id, attempt_key)
    where due;

-- Claimed attempts, as few as the worker slots of all processes, so a reader walks
-- them all.  Only the run is indexed: a slot that goes on from one attempt to the
-- next changes no index, and its update stays on the page.
create table squidmesh.held (
    run_id uuid not null,
    visible_at timestamptz not null,
    held_until timestamptz not null,
    priority bigint not null,
    attempt_key text collate "C" not null,
    queue text collate "C" not null,
    action text,
    partition_key text collate "C"
) with (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

create index squidmesh_held_run on squidmesh.held (run_id);

-- The listed facts of each run.
create table squidmesh.runs (
    run_id uuid not null primary key,
    workflow text not null,
    version text,
    fingerprint text not null,
    "trigger" text not null,
    status text not null,
    queue text not null,
    priority bigint not null,
    tags text not null,
    key text,
    partition_key text,
    created_at timestamptz not null,
    ended_at timestamptz,
    parent text,
    replayed_from text,
    forked_at text,
    error text
);

create index squidmesh_runs_newest on squidmesh.runs (created_at, run_id);
create index squidmesh_runs_workflow on squidmesh.runs (workflow, created_at, run_id);
create index squidmesh_runs_status on squidmesh.runs (status, created_at, run_id);
create index squidmesh_runs_parent on squidmesh.runs (parent, created_at, run_id)
    where parent is not null;
create index squidmesh_runs_ended on squidmesh.runs (ended_at, run_id)
    where ended_at is not null;

create table squidmesh.tags (
    run_id uuid not null,
    tag text collate "C" not null,
    primary key (run_id, tag)
);

create index squidmesh_tags_tag on squidmesh.tags (tag, run_id);

-- What a message finds a run by.
create table squidmesh.correlations (
    run_id uuid not null,
    workflow text not null,
    node text collate "C" not null,
    correlation text collate "C" not null,
    open boolean not null,
    primary key (run_id, node, correlation)
);

create index squidmesh_correlations_found
    on squidmesh.correlations (workflow, node, correlation, open desc, run_id);

-- Runs marked as unreadable: none, on a good day.
create table squidmesh.quarantine (
    run_id uuid not null primary key,
    revision bigint,
    reason text not null
);

create table squidmesh.definitions (
    fingerprint text not null primary key,
    text text not null
);

create table squidmesh.checkpoints (
    run_id uuid not null primary key,
    revision bigint not null,
    codec_version integer not null,
    hash text not null,
    body text not null
);

-- Small facts outside runs.
create table squidmesh.records (
    kind text collate "C" not null,
    key text collate "C" not null,
    version bigint not null,
    body text not null,
    primary key (kind, key)
);

-- Processes with idle workers, and what they would like to be told of: only for
-- them is there a NOTIFY.  Worth nothing after a crash.
create unlogged table squidmesh.idle (
    listener text not null,
    queue text collate "C" not null,
    until timestamptz not null,
    primary key (listener, queue)
);
