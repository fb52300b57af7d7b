-- contract: the bodies of appends are packed.
--
-- Either a body is kept as it is, or packed and then the text is empty; rows that are
-- there stay as they are.  A process of the release before cannot read what is packed.

alter table squidmesh.journal add column packed bytea not null default '';

-- Room on the page for the end of a run beside its start: elsewhere it is written whole,
-- and locked before.
alter table squidmesh.runs set (fillfactor = 70);
