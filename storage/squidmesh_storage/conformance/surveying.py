# ruff: noqa: S101 (a test suite that ships with the package)
"""What is promised to newer and older processes beside each other, and to operators."""

from datetime import datetime, timedelta

import pytest

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_core.protocol.rows import AttemptRow, RowChanges
from squidmesh_storage.api import Depth, Journal, Quarantine, RunFilter
from squidmesh_storage.conformance.kit import (
    Promises,
    attempt,
    commit,
    first,
    key,
    keys_of,
    look,
    look_and_tell,
    puts,
    run_id,
    run_row,
    then,
)

NEWER = CODEC_VERSION + 1
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


class SurveyPromises(Promises):
    """What a newer process touched is left to newer ones; how all stands can be asked."""

    @pytest.mark.parametrize("kind", ["waiting", "delayed", "held"])
    def test_what_a_newer_process_appended_to_is_no_candidate(
        self, journal: Journal, kind: str
    ) -> None:
        """Not even an attempt that an older one scheduled: nothing of the run is tried in vain."""
        now = journal.now()
        for number in (1, 2):
            row = _row(number, kind, now)
            commit(journal, first(run_id(number), at=now, rows=puts(row)))
        (one, two) = (first(run_id(number), at=now) for number in (1, 2))

        commit(journal, then(one, at=now, codec=NEWER), then(two, at=now))

        assert (key(run_id(2)),) == keys_of(look(journal)) or kind == "delayed"
        assert run_id(1) not in {seen.row.run_id for seen in look(journal)}

    def test_what_a_newer_process_delays_wakes_nobody(self, journal: Journal) -> None:
        """There is nothing to look for at that moment."""
        now = journal.now()
        waiting = attempt(run_id(1), step="a", visible_at=now + SECOND)
        held = attempt(run_id(1), step="b", held_until=now + SECOND)

        commit(journal, first(run_id(1), at=now, rows=puts(waiting, held), codec=NEWER))

        assert look_and_tell(journal)[1].next_due is None

    def test_a_process_that_can_read_a_run_gives_it_back(self, journal: Journal) -> None:
        """Whoever appends has read all before: the last append speaks for the run."""
        newer = first(run_id(1), rows=puts(attempt(run_id(1))), codec=NEWER)
        commit(journal, newer)
        assert look(journal) == ()

        commit(journal, then(newer))

        assert (key(run_id(1)),) == keys_of(look(journal))

    def test_lists_show_the_codec_of_the_last_append(self, journal: Journal) -> None:
        """So that a list can say which runs are beyond this process."""
        begun = first(run_id(1), rows=RowChanges(run=run_row(run_id(1))))
        commit(journal, begun)
        commit(journal, then(begun, codec=NEWER))

        (listed,) = journal.runs(RunFilter(), None, 5).items

        assert listed.codec == NEWER

    def test_whoever_loads_a_run_sees_the_codec_of_its_last_append(self, journal: Journal) -> None:
        """From its beginning, from its head, or among others."""
        begun = first(run_id(1))
        commit(journal, begun, first(run_id(2)))
        commit(journal, then(begun, codec=NEWER))

        together = journal.load_many({run_id(1): Revision(1), run_id(2): Revision(0)})

        assert journal.load(run_id(1)).codec == NEWER
        assert journal.load(run_id(1), Revision(2)).codec == NEWER
        assert {run_id(1): NEWER, run_id(2): CODEC_VERSION} == {
            run: loaded.codec for run, loaded in together.items()
        }

    def test_a_survey_counts_runs_and_attempts(self, journal: Journal) -> None:
        """By status and by action, unclaimed or held."""
        now = journal.now()
        commit(
            journal,
            first(
                run_id(1),
                at=now,
                rows=RowChanges(
                    run=run_row(run_id(1), status="running"),
                    put=(
                        attempt(run_id(1), step="a", visible_at=now - 7 * SECOND),
                        attempt(run_id(1), step="b", action="other", held_until=now + SECOND),
                        attempt(run_id(1), step="c", action=None, visible_at=now + SECOND),
                    ),
                ),
            ),
            first(
                run_id(2),
                at=now,
                rows=RowChanges(
                    run=run_row(run_id(2), status="running"),
                    put=(attempt(run_id(2), visible_at=now - 5 * SECOND),),
                ),
            ),
            first(run_id(3), rows=RowChanges(run=run_row(run_id(3), status="failed"))),
        )

        survey = journal.survey()

        assert dict(survey.runs) == {"running": 2, "failed": 1}
        assert dict(survey.actions) == {"act": 2, "other": 1}
        assert now - 7 * SECOND == survey.waiting_since
        assert (survey.quarantined, survey.newer) == ({}, ())

    def test_a_survey_names_what_nobody_here_works_on(self, journal: Journal) -> None:
        """Marked runs, and those with attempts for newer processes; they wait for nobody here."""
        mark = Quarantine(revision=Revision(1), reason="row 1 does not fit")
        commit(
            journal,
            first(run_id(1), rows=puts(attempt(run_id(1)))),
            first(run_id(2), rows=puts(attempt(run_id(2))), codec=NEWER),
            first(run_id(3), codec=NEWER),
        )
        journal.quarantine(run_id(1), mark)

        survey = journal.survey()

        assert {run_id(1): mark} == dict(survey.quarantined)
        assert (run_id(2),) == survey.newer
        assert survey.waiting_since is None

    def test_a_survey_says_how_much_lies_in_each_queue(self, journal: Journal) -> None:
        """Claimable, for later, or held; nothing of what nobody here may claim."""
        now = journal.now()
        rows = (
            attempt(run_id(1), step="a", visible_at=now - 7 * SECOND),
            attempt(run_id(1), step="b", visible_at=now - 9 * SECOND, held_until=now - SECOND),
            attempt(run_id(1), step="c", visible_at=now + HOUR),
            attempt(run_id(1), step="d", held_until=now + HOUR),
            attempt(run_id(1), step="e", held_until=now + HOUR),
            attempt(run_id(1), step="f", queue="mail", held_until=now - SECOND),
            attempt(run_id(1), step="g", queue="later", visible_at=now + HOUR),
        )
        over = attempt(run_id(4), queue="later", visible_at=now - SECOND)
        marked, newer = (attempt(run_id(n), visible_at=now - 99 * SECOND) for n in (2, 3))
        commit(
            journal,
            first(run_id(1), at=now, rows=puts(*rows)),
            first(run_id(2), at=now, rows=puts(marked)),
            first(run_id(4), at=now - HOUR, rows=puts(over)),
            first(run_id(3), at=now, rows=puts(newer), codec=NEWER),
        )
        journal.quarantine(run_id(2), Quarantine(revision=None, reason="damaged"))

        assert {
            "default": Depth(waiting=2, delayed=1, held=2, since=now - 7 * SECOND),
            "mail": Depth(waiting=1),
            "later": Depth(waiting=1, delayed=1, since=now - SECOND),
        } == dict(journal.survey().queues)

    def test_an_empty_survey_is_empty(self, journal: Journal) -> None:
        """Nothing runs, nothing waits."""
        survey = journal.survey()

        assert (survey.runs, survey.actions, survey.waiting_since) == ({}, {}, None)
        assert survey.queues == {}


def _row(number: int, kind: str, now: datetime) -> AttemptRow:
    match kind:
        case "delayed":
            return attempt(run_id(number), visible_at=now + SECOND)
        case "held":
            return attempt(run_id(number), held_until=now - SECOND)
        case _:
            return attempt(run_id(number))
