-- expand: runs by their deadlines.
--
-- The first instants over all deadlines of a run that run; all null: none does.  Runs
-- that were started before have them from their next change on, or after `reindex`.  A
-- process of the release before leaves them as they are, and so they may be those of
-- deadlines that are over: whoever reads the run itself finds out.

alter table squidmesh_runs add column due_at integer;
alter table squidmesh_runs add column due_soon_at integer;
alter table squidmesh_runs add column escalated_at integer;

create index squidmesh_runs_due on squidmesh_runs (due_at, run_id, due_soon_at, escalated_at)
    where due_at is not null and ended_at is null;
