"""What became of many runs: sorted by outcome, and as plain data."""

from typing import Final

from jsonschema import Draft202012Validator

from squidmesh_core.ids import derived_run_id
from squidmesh_core.views.bulk import Bulk, Outcome, Steered
from squidmesh_core.views.schemas import view_schema

OUTCOMES: Final[tuple[Outcome, ...]] = ("done", "refused", "done", "already")
TOLD: Final = Bulk(
    verb="cancel",
    planned=False,
    items=tuple(
        Steered(
            id=derived_run_id("run", str(number)),
            workflow=None if outcome == "refused" else "Order",
            outcome=outcome,
            before=None,
            after="cancelled",
            effects=("the run ends here, cancelled",),
        )
        for number, outcome in enumerate(OUTCOMES)
    ),
)


def test_runs_are_found_by_their_outcome() -> None:
    """In the order in which they were chosen."""
    assert (TOLD.items[0], TOLD.items[2]) == TOLD.those("done")
    assert (TOLD.items[1],) == TOLD.those("refused")
    assert () == Bulk(verb="replay", planned=True, items=()).those("already")


def test_it_is_written_as_its_schema_says() -> None:
    """Every member, also those that are null."""
    Draft202012Validator(view_schema(Bulk)).validate(TOLD.to_dict())
