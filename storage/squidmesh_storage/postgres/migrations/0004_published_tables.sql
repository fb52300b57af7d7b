-- expand: tables that have no key can be published.
--
-- A publication refuses to change rows that nothing tells apart: one of somebody else, for all
-- tables of the database, stopped every worker.  Costs nothing unless `wal_level` is `logical`.

alter table squidmesh.held replica identity full;
alter table squidmesh.schema replica identity full;
