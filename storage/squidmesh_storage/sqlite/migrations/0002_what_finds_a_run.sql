-- expand: what a message finds a run by, where damage begins, who can read an append.

create table squidmesh_correlations (
    run_id text not null,
    workflow text not null,
    node text not null,
    correlation text not null,
    open integer not null,
    primary key (run_id, node, correlation)
) strict, without rowid;

create index squidmesh_correlations_found
    on squidmesh_correlations (workflow, node, correlation, open desc, run_id);

alter table squidmesh_quarantine add column revision integer;

-- The codec that a process has to know.  Whoever appends has read all that came
-- before, so that of a run's last append speaks for the whole run.
alter table squidmesh_journal add column codec integer not null default 1;
