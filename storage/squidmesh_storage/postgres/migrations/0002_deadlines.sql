-- expand: runs by their deadlines.
--
-- The first instants over all deadlines of a run that run; all null: none does.  Runs
-- that were started before have them from their next change on, or after `reindex`.  A
-- process of the release before leaves them as they are, and so they may be those of
-- deadlines that are over: whoever reads the run itself finds out.

alter table squidmesh.runs
    add column due_at timestamptz,
    add column due_soon_at timestamptz,
    add column escalated_at timestamptz;

create index squidmesh_runs_due on squidmesh.runs (due_at, run_id)
    where due_at is not null and ended_at is null;
