# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised about notices: each hook of an event is told, if the append is durable."""

from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Choice, Conflict, Journal, Offered, Record
from squidmesh_storage.conformance.kit import (
    EPOCH,
    Promises,
    attempt,
    commit,
    first,
    hold,
    notice,
    puts,
    run_id,
    then,
)


class NoticePromises(Promises):
    """Notices are kept in the same commit, once for each hook, or not at all."""

    def test_a_notice_is_kept_for_each_hook_of_its_event(self, journal: Journal) -> None:
        """Under the hook's key and the notice's id, new, with its text as it came."""
        for hook in ("run_failed tell", "run_failed page.me", "run_completed tell"):
            journal.put_record("hook", hook, "{}")

        commit(journal, first(run_id(1), notices=(notice("run_failed", "1:1", body='["ü"]'),)))

        expected = tuple(
            Record(kind="notice", key=f"run_failed {name} 1:1", body='["ü"]', version=1)
            for name in ("page.me", "tell")
        )
        assert expected == journal.records("notice")

    def test_several_notices_of_one_append_are_kept(self, journal: Journal) -> None:
        """Of one event or of two; and those of several appends that travel together."""
        journal.put_record("hook", "run_failed tell", "{}")
        journal.put_record("hook", "gate_opened tell", "{}")
        one = first(
            run_id(1), notices=(notice("run_failed", "1:1"), notice("compensation_failed", "1:1"))
        )
        other = first(
            run_id(2), notices=(notice("gate_opened", "2:1"), notice("gate_opened", "2:2"))
        )

        commit(journal, one, other)

        assert _kept(journal) == [
            "gate_opened tell 2:1",
            "gate_opened tell 2:2",
            "run_failed tell 1:1",
        ]

    def test_without_a_hook_nothing_is_kept(self, journal: Journal) -> None:
        """Also where one has an event whose name begins alike, or comes later."""
        journal.put_record("hook", "run_failed_again tell", "{}")
        journal.put_record("hook", "run_faile tell", "{}")
        journal.put_record("worker", "run_failed tell", "{}")

        commit(journal, first(run_id(1), notices=(notice("run_failed", "1:1"),)))
        journal.put_record("hook", "run_failed tell", "{}")

        assert _kept(journal) == []

    def test_a_forgotten_hook_is_told_nothing_new(self, journal: Journal) -> None:
        """What was kept for it before stays."""
        journal.put_record("hook", "run_failed tell", "{}")
        commit(journal, first(run_id(1), notices=(notice("run_failed", "1:1"),)))
        journal.drop_record("hook", "run_failed tell")

        commit(journal, first(run_id(2), notices=(notice("run_failed", "2:1"),)))

        assert _kept(journal) == ["run_failed tell 1:1"]

    def test_an_append_that_falls_tells_nothing(self, journal: Journal) -> None:
        """Alone, or with its group; those beside it do."""
        journal.put_record("hook", "run_failed tell", "{}")
        begun = first(run_id(1))
        commit(journal, begun)

        outcomes = journal.append(
            (
                first(run_id(1), entries=2, notices=(notice("run_failed", "1:2"),)),
                first(run_id(2), notices=(notice("run_failed", "2:1"),)),
            )
        )
        fallen = journal.append(
            (
                first(run_id(1), group="g", notices=(notice("run_failed", "1:1"),)),
                first(run_id(3), group="g", notices=(notice("run_failed", "3:1"),)),
            )
        )

        assert isinstance(outcomes[0], Conflict)
        assert all(isinstance(one, Conflict) for one in fallen)
        assert _kept(journal) == ["run_failed tell 2:1"]

    def test_a_group_that_stands_tells_of_all(self, journal: Journal) -> None:
        """Together."""
        journal.put_record("hook", "run_failed tell", "{}")

        commit(
            journal,
            first(run_id(1), group="g", notices=(notice("run_failed", "1:1"),)),
            first(run_id(2), group="g", notices=(notice("run_failed", "2:1"),)),
        )

        assert _kept(journal) == ["run_failed tell 1:1", "run_failed tell 2:1"]

    def test_a_claim_transaction_tells_as_well(self, journal: Journal) -> None:
        """A time-out that strikes may end its run."""
        journal.put_record("hook", "run_failed tell", "{}")
        commit(journal, first(run_id(1), rows=puts(attempt(run_id(1)))))

        def decide(offered: Offered) -> Choice:
            (candidate,) = offered.candidates
            batch = hold(candidate, offered.now)
            noticed = then(
                first(run_id(1)), rows=batch.rows, notices=(notice("run_failed", "1:2"),)
            )
            return Choice(batches=(noticed,))

        journal.claimable(("default",), ("act",), 1, decide)

        assert _kept(journal) == ["run_failed tell 1:2"]

    def test_a_step_that_goes_on_tells_as_well(self, journal: Journal) -> None:
        """However quick the way is that such appends take."""
        journal.put_record("hook", "run_failed tell", "{}")
        work = attempt(run_id(1), held_until=EPOCH)
        following = attempt(run_id(1), step="next", held_until=EPOCH)
        begun = first(run_id(1), rows=puts(work))
        commit(journal, begun)

        rows = RowChanges(put=(following,), drop=(work.attempt_key,))
        commit(journal, then(begun, rows=rows, notices=(notice("run_failed", "1:2"),)))

        assert (following,) == journal.rows_of(run_id(1)).attempts
        assert _kept(journal) == ["run_failed tell 1:2"]

    def test_a_notice_that_is_there_stays_as_it_is(self, journal: Journal) -> None:
        """Somebody may be at it."""
        journal.put_record("hook", "run_failed tell", "{}")
        commit(journal, first(run_id(1), notices=(notice("run_failed", "1"),)))
        journal.put_record("notice", "run_failed tell 1", "[2]")

        commit(journal, first(run_id(2), notices=(notice("run_failed", "1", body="[3]"),)))

        (stored,) = journal.records("notice")
        assert (stored.body, stored.version) == ("[2]", 2)


def _kept(journal: Journal) -> list[str]:
    return [one.key for one in journal.records("notice")]
