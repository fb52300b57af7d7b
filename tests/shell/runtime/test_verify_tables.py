"""Verify, where rows are kept in tables: whatever finds a run is held against its journal."""

from collections.abc import Iterator

import pytest

from squidmesh import StorageError
from squidmesh_core.ids import RunId
from support.damage import change_rows
from support.stage import Stage, does, stage_on
from support.workflows import chain, step


def one() -> int:
    """Give 1."""
    return 1


SPEC = chain(step("a", output="a"))
ACTIONS = does(a=one)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def tables(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Adapters with tables: in memory a run is found by the very rows that are listed."""
    made = stage_on(request)
    yield made
    made.close()


#: What only tables can hold, and the rows that it makes differ.
WRONG_TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "no tags": ("delete from squidmesh.tags", ("tags",)),
    "a tag too few": ("delete from squidmesh.tags where tag = 'red'", ("tags",)),
    "another tag": ("update squidmesh.tags set tag = 'pink' where tag = 'red'", ("tags",)),
    "garbled tags": ("update squidmesh.runs set tags = '[\"red\"'", ("run",)),
    "tags that are none": ("update squidmesh.runs set tags = '[1]'", ("run",)),
    "no list of tags": ("update squidmesh.runs set tags = '{}'", ("run",)),
    "an attempt twice": (
        "insert into squidmesh.held (run_id, attempt_key, queue, action, priority, visible_at,"
        " held_until, partition_key) select run_id, attempt_key, queue, action, priority,"
        " visible_at, visible_at, partition_key from squidmesh.waiting",
        ("{run}:a:1",),
    ),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_wrong_tables_are_named_and_reindex_mends_them(tables: Stage, name: str) -> None:
    """Whatever finds a run, or could be claimed, is held against the journal."""
    run = tables.mesh().start_spec(SPEC, "placed", {}, actions=ACTIONS, tags=("red", "blue", "red"))
    right = tables.journal().rows_of(RunId(run.id))
    statement, rows = WRONG_TABLES[name]
    change_rows(tables, statement)
    mesh = tables.mesh()

    (found,) = mesh.verify().results

    assert "index_differs" == found.verdict
    assert tuple(row.format(run=run.id) for row in rows) == found.rows
    assert [run.id] == [one.id for one in mesh.runs().items]
    mesh.reindex()
    assert mesh.verify().clean
    assert right == tables.journal().rows_of(RunId(run.id))


def test_a_journal_that_is_gone_from_its_table_is_missed(tables: Stage) -> None:
    """Whoever asks for the run is told so, and every other run goes on."""
    mesh = tables.mesh(actions=ACTIONS)
    gone, other = (mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS) for _ in range(2))
    change_rows(tables, f"delete from squidmesh.journal where run_id = '{gone.id}'")
    mesh = tables.mesh(actions=ACTIONS)

    for verb in (mesh.inspect, mesh.explain, mesh.cancel):
        with pytest.raises(StorageError, match="the index lists the run") as caught:
            verb(gone)
        assert "run_quarantined" == caught.value.code
    (found,) = mesh.verify().results
    assert (gone.id, "damaged", 1) == (found.run_id, found.verdict, found.at_revision)
    assert [gone.id] == [*mesh.health().quarantined]
    mesh.drain()
    assert "completed" == mesh.inspect(other).status


def test_a_codec_beyond_this_release_is_noticed_in_its_table(tables: Stage) -> None:
    """The run is left to a newer process, and every other run goes on."""
    mesh = tables.mesh(actions=ACTIONS)
    newer, other = (mesh.start_spec(SPEC, "placed", {}, actions=ACTIONS) for _ in range(2))
    change_rows(tables, f"update squidmesh.journal set codec = 99 where run_id = '{newer.id}'")
    mesh = tables.mesh(actions=ACTIONS)

    for verb in (mesh.inspect, mesh.cancel):
        with pytest.raises(StorageError, match="codec 99") as caught:
            verb(newer)
        assert "newer_entries" == caught.value.code
    assert "newer_entries" == mesh.explain(newer).reason
    (found,) = mesh.verify().results
    assert (newer.id, "newer", {}) == (found.run_id, found.verdict, mesh.health().quarantined)
    mesh.drain()
    assert "completed" == mesh.inspect(other).status
