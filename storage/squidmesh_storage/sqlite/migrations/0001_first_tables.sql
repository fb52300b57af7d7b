-- expand: the first tables.
--
-- Instants are whole microseconds since 1970-01-01T00:00:00Z.

-- What becomes of these tables later: the number of the newest migration.
create table squidmesh_schema (
    version integer not null
) strict;

insert into squidmesh_schema (version) values (0);

-- The journals, one row for each append.  A rowid table with an index, because
-- in a WITHOUT ROWID table a body of 1 kB leaves its page: twice the bytes in
-- the WAL and three times the file.
create table squidmesh_journal (
    run_id text not null,
    first integer not null,
    last integer not null,
    append_id text not null,
    at integer not null,
    stored_at integer not null,
    body text not null,
    hash blob not null
) strict;

create unique index squidmesh_journal_revision on squidmesh_journal (run_id, first);

-- Unclaimed attempts.  Delayed ones (due = 0) stay out of the claim order until
-- the timer index promotes them: a million timers cost a poll nothing.
create table squidmesh_waiting (
    run_id text not null,
    attempt_key text not null,
    queue text not null,
    action text,
    priority integer not null,
    visible_at integer not null,
    partition_key text,
    due integer not null,
    primary key (run_id, attempt_key)
) strict, without rowid;

create index squidmesh_waiting_due
    on squidmesh_waiting (queue, priority, visible_at, run_id, attempt_key, action)
    where due = 1;

create index squidmesh_waiting_timer
    on squidmesh_waiting (queue, visible_at)
    where due = 0;

-- Claimed attempts, as few as the worker slots of one machine, so a reader walks
-- them all.  No index: an index over leases would cost two pages at each step.
create table squidmesh_held (
    run_id text not null,
    attempt_key text not null,
    queue text not null,
    action text,
    priority integer not null,
    visible_at integer not null,
    held_until integer not null,
    partition_key text,
    primary key (run_id, attempt_key)
) strict, without rowid;

-- The listed facts of each run.
create table squidmesh_runs (
    run_id text not null primary key,
    workflow text not null,
    version text,
    fingerprint text not null,
    "trigger" text not null,
    status text not null,
    queue text not null,
    priority integer not null,
    tags text not null,
    key text,
    partition_key text,
    created_at integer not null,
    ended_at integer,
    parent text,
    replayed_from text,
    forked_at text,
    error text
) strict;

create index squidmesh_runs_newest on squidmesh_runs (created_at, run_id);
create index squidmesh_runs_workflow on squidmesh_runs (workflow, created_at, run_id);
create index squidmesh_runs_status on squidmesh_runs (status, created_at, run_id);
create index squidmesh_runs_parent on squidmesh_runs (parent, created_at, run_id)
    where parent is not null;

create table squidmesh_tags (
    run_id text not null,
    tag text not null,
    primary key (run_id, tag)
) strict, without rowid;

create index squidmesh_tags_tag on squidmesh_tags (tag, run_id);

-- Runs marked as unreadable: none, on a good day.
create table squidmesh_quarantine (
    run_id text not null primary key,
    reason text not null
) strict, without rowid;

create table squidmesh_definitions (
    fingerprint text not null primary key,
    text text not null
) strict;

create table squidmesh_checkpoints (
    run_id text not null primary key,
    revision integer not null,
    hash text not null,
    codec_version integer not null,
    body text not null
) strict;
