# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised about correlations: how an outside message finds its run."""

from squidmesh_core.protocol.rows import IndexRows, RowChanges
from squidmesh_storage.api import Journal
from squidmesh_storage.conformance.kit import (
    Promises,
    commit,
    correlation,
    first,
    head_of,
    on,
    run_id,
    then,
)


class FindingPromises(Promises):
    """Correlations: all of a run's at once, in the append that implies them."""

    def test_a_message_finds_the_runs_of_its_correlation(self, journal: Journal) -> None:
        """By workflow, node and text, each exactly."""
        for number in (2, 1):
            rows = (correlation(run_id(number)), correlation(run_id(number), "other"))
            commit(journal, first(run_id(number), rows=RowChanges(correlations=rows)))

        found = journal.correlated("orders", "settled", "order-7")

        assert (correlation(run_id(1)), correlation(run_id(2))) == found
        assert journal.correlated("order", "settled", "order-7") == ()
        assert journal.correlated("orders", "settle", "order-7") == ()
        assert journal.correlated("orders", "settled", "ORDER-7") == ()

    def test_what_can_take_a_message_comes_first(self, journal: Journal) -> None:
        """So that a limit never hides it behind what is over."""
        for number, can_take in ((1, False), (2, False), (3, True)):
            rows = RowChanges(correlations=(correlation(run_id(number), open=can_take),))
            commit(journal, first(run_id(number), rows=rows))

        found = journal.correlated("orders", "settled", "order-7", 2)

        assert (correlation(run_id(3)), correlation(run_id(1), open=False)) == found

    def test_correlations_change_with_the_append_that_implies_them(self, journal: Journal) -> None:
        """The new ones take the place of all; null leaves them; none takes them away."""
        begun = first(run_id(1), rows=RowChanges(correlations=(correlation(run_id(1), "a"),)))
        commit(journal, begun)
        silent = then(begun)
        commit(journal, silent)
        assert (correlation(run_id(1), "a"),) == journal.rows_of(run_id(1)).correlations

        both = (correlation(run_id(1), "b", node="a"), correlation(run_id(1), "a", open=False))
        changed = then(silent, rows=RowChanges(correlations=both[::-1]))
        commit(journal, changed)
        assert both == journal.rows_of(run_id(1)).correlations

        commit(journal, then(changed, rows=RowChanges(correlations=())))
        assert journal.rows_of(run_id(1)) == IndexRows()

    def test_correlations_of_a_conflicting_append_are_not_stored(self, journal: Journal) -> None:
        """Whoever was first has said what the run is found by."""
        rows = RowChanges(correlations=(correlation(run_id(1)),))
        begun = first(run_id(1), rows=rows)
        commit(journal, begun, first(run_id(2)))
        late = RowChanges(correlations=(correlation(run_id(1), "late"),))

        journal.append((on(run_id(1), head_of(first(run_id(1), entries=5)), rows=late),))

        assert rows.correlations == journal.rows_of(run_id(1)).correlations
        assert journal.correlated("orders", "settled", "late") == ()
