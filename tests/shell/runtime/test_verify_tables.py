"""Verify, where rows are kept in tables: whatever finds a run is held against its journal."""

from collections.abc import Iterator

import pytest

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
