# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised about records: small facts outside of runs."""

from functools import partial

from squidmesh_storage.api import Journal, Record
from squidmesh_storage.conformance.concurrency import THREADS, at_once
from squidmesh_storage.conformance.kit import Promises


class RecordPromises(Promises):
    """A record is stored whole, counted, and swapped by one of many."""

    def test_a_record_comes_back_as_it_was_put(self, journal: Journal) -> None:
        """Whatever its text says."""
        assert journal.records("worker") == ()

        assert journal.put_record("worker", "ana", '{"seen":"ü"}')

        stored = Record(kind="worker", key="ana", body='{"seen":"ü"}', version=1)
        assert (stored,) == journal.records("worker")

    def test_records_are_listed_by_kind_and_key(self, journal: Journal) -> None:
        """A key is one record per kind; keys are in the order of their characters."""
        for key in ("ü", "b", "B", "a.b", "a"):
            journal.put_record("worker", key, "{}")
        journal.put_record("queue", "b", "[]")

        assert [one.key for one in journal.records("worker")] == ["B", "a", "a.b", "b", "ü"]
        assert [one.body for one in journal.records("queue")] == ["[]"]

    def test_a_listing_can_be_narrowed_and_walked(self, journal: Journal) -> None:
        """By the beginning of keys, the last key seen, and a number; whatever stands in them."""
        keys = ("a", "a b", "a b c", "a%", "ab", "b", "\U0010ffff", "\U0010ffff!")
        for key in keys:
            journal.put_record("worker", key, "{}")
        journal.put_record("queue", "a b", "{}")

        def listed(prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
            found = journal.records("worker", prefix=prefix, after=after, limit=limit)
            return [one.key for one in found]

        assert list(keys) == listed()
        assert listed(prefix="a ") == ["a b", "a b c"]
        assert listed(prefix="a%") == ["a%"]
        assert list(keys[-2:]) == listed(prefix="\U0010ffff")
        assert listed(limit=2) == ["a", "a b"]
        assert listed(after="a b", limit=2) == ["a b c", "a%"]
        assert listed(prefix="a ", after="a b") == ["a b c"]
        assert listed(prefix="a ", after="b") == []
        assert listed(prefix="a ", after="A", limit=1) == ["a b"]

    def test_each_change_of_a_record_counts_one(self, journal: Journal) -> None:
        """And the last text stays."""
        for number in (1, 2, 3):
            assert journal.put_record("worker", "ana", f"[{number}]")

        assert _seen(journal) == ((3, "[3]"),)

    def test_a_conditional_write_replaces_only_the_version_it_names(self, journal: Journal) -> None:
        """Any other leaves what is there."""
        assert journal.put_record("worker", "ana", "[1]", expected=0)
        assert journal.put_record("worker", "ana", "[2]", expected=1)

        for stale in (0, 1, 3):
            assert not journal.put_record("worker", "ana", "[9]", expected=stale)

        assert _seen(journal) == ((2, "[2]"),)

    def test_a_conditional_write_finds_no_version_where_there_is_none(
        self, journal: Journal
    ) -> None:
        """A record that somebody forgot does not come back by itself."""
        assert not journal.put_record("worker", "ana", "[2]", expected=1)

        assert journal.records("worker") == ()

    def test_a_dropped_record_is_gone(self, journal: Journal) -> None:
        """Others stay, dropping none is fine, and what comes next is new."""
        journal.put_record("worker", "ana", "[1]")
        journal.put_record("worker", "ana", "[2]")
        journal.put_record("queue", "ana", "[3]")

        assert journal.drop_record("worker", "ana")
        assert journal.drop_record("worker", "ana")

        assert journal.records("worker") == ()
        assert [one.body for one in journal.records("queue")] == ["[3]"]
        assert journal.put_record("worker", "ana", "[4]", expected=0)
        assert _seen(journal) == ((1, "[4]"),)

    def test_a_conditional_drop_forgets_only_the_version_it_names(self, journal: Journal) -> None:
        """It answers whether none is left, so forgetting what is gone has succeeded."""
        journal.put_record("worker", "ana", "[1]")
        journal.put_record("worker", "ana", "[2]")

        assert not journal.drop_record("worker", "ana", expected=1)
        assert _seen(journal) == ((2, "[2]"),)
        assert journal.drop_record("worker", "ana", expected=2)
        assert journal.drop_record("worker", "ana", expected=2)
        assert journal.records("worker") == ()

    def test_of_threads_that_swap_one_version_exactly_one_wins(self, journal: Journal) -> None:
        """Whether the record is new or known."""
        for version in (0, 1, 2):
            bodies = [f"[{version},{number}]" for number in range(THREADS)]
            jobs = [
                partial(journal.put_record, "worker", "ana", body, expected=version)
                for body in bodies
            ]

            won = at_once(jobs)

            assert sorted(won) == [False] * (THREADS - 1) + [True]
            assert ((version + 1, bodies[won.index(True)]),) == _seen(journal)

    def test_changes_of_many_threads_are_all_counted(self, journal: Journal) -> None:
        """None is lost, although none is conditional."""
        at_once([partial(journal.put_record, "worker", "ana", "{}")] * THREADS)

        assert _seen(journal) == ((THREADS, "{}"),)


def _seen(journal: Journal) -> tuple[tuple[int, str], ...]:
    return tuple((one.version, one.body) for one in journal.records("worker"))
