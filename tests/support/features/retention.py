"""Golden runs: what is left of finished runs once they are pruned."""

from datetime import timedelta

from squidmesh_core.values import RetryPolicy
from support.features.told import Told, keyed, left_of, row, taken_up, told
from support.workflows import step

QUARTER = timedelta(days=90)


def pruned() -> list[Told]:
    """Two tombstones: of a start with a key, and of a run that undid what another had left."""
    placed = keyed(row(step("pick"), step("ship")), key="order:A-1")
    placed.perform("pick")
    placed.perform("ship")
    once = RetryPolicy(max_attempts=1)
    failed = told(
        row(step("book", output="book", compensate=True, compensate_retry=once), step("pay"))
    )
    failed.perform("book", {"seat": "12A"})
    failed.fail(failed.claim("pay"), retryable=False)
    failed.fail(failed.claim("book"))
    undoing = taken_up(failed)
    undoing.undo("book")
    for run in (placed, undoing):
        run.time_passes(QUARTER)
    return [left_of(placed), failed, left_of(undoing)]


PLAYS = (pruned,)
