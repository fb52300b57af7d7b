"""A forged journal is refused, or everything that can be done with its run still answers."""

from collections.abc import Callable

from hypothesis import event, given
from hypothesis import strategies as st

from squidmesh_core.errors import SquidmeshError
from support.forging import forgeries, read_again, uses
from support.plays import plays
from support.scenario import Scenario


@given(plays(), st.data())
def test_whatever_a_forged_journal_says_nobody_trips_over_it(
    run: Scenario, data: st.DataObject
) -> None:
    """One member of one entry is another: an error that is raised is one of the library's own."""
    try:
        forged = data.draw(forgeries(run))
    except SquidmeshError:
        event("no entry can say so")
        return
    again = read_again(run, forged)
    if again is None:
        event("contradicts itself")
        return
    event("anomalies" if again.state.anomalies else "fits")
    assert {None, "run_quarantined"} >= {_error(use) for use in uses(again)}


def _error(use: Callable[[], object]) -> str | None:
    """The code of the error of ours that is raised; null: none is."""
    try:
        use()
    except SquidmeshError as error:
        return error.code
    return None
