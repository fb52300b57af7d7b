"""What is known of an append that an error cut short: what was written, and what may have been."""

from collections.abc import Sequence

import pytest

from squidmesh_core.errors import OutcomeUnknown, StorageError
from squidmesh_core.ids import Revision
from squidmesh_storage.api import Batch, Committed, Outcome, Unknown
from squidmesh_storage.conformance.kit import attempt, first, puts, run_id
from squidmesh_storage.postgres.appending import Appended, append, append_and_commit
from squidmesh_storage.postgres.scripts import Rows, Script
from squidmesh_storage.postgres.statements import Names, Statements

SQL = Statements(Names())
#: Rows of whatever came to nothing.
NOTHING: Rows = ()
A, B = (first(run_id(number), rows=puts(attempt(run_id(number)))) for number in (1, 2))
GROUPED = first(run_id(3), group="g")
LOST = OutcomeUnknown("the connection was lost", "outcome_unknown", {})
REFUSED = StorageError("the disk is full", "storage_error", {})


def wrote(*batches: Batch) -> Rows:
    """What the statement that writes tells of those that it wrote."""
    return [(str(batch.record.run_id), False) for batch in batches]


def stands(*batches: Batch) -> Rows:
    """Heads where these expect them."""
    return [(str(batch.record.run_id), batch.expected, False) for batch in batches]


def committed(batch: Batch) -> Outcome:
    return Committed(run_id=batch.record.run_id, revision=Revision(1))


def unknown(batch: Batch) -> Outcome:
    return Unknown(run_id=batch.record.run_id, append_id=batch.record.append_id)


def told(script: Script[Appended], *replies: Sequence[Rows] | StorageError) -> tuple[Outcome, ...]:
    """What a script answers to whom the server replies so."""
    next(script)
    try:
        for reply in replies:
            if isinstance(reply, StorageError):
                script.throw(reply)
            else:
                script.send(reply)
    except StopIteration as end:
        answer: Appended = end.value
        return answer.outcomes
    raise AssertionError("it asks for more")


def test_an_error_before_anything_was_written_comes_out() -> None:
    """Nobody has to look for what cannot be there."""
    with pytest.raises(StorageError, match="the disk is full"):
        told(append(SQL, [A, B], "me"), REFUSED)


def test_what_was_lost_on_its_way_is_unknown() -> None:
    """All of it: one statement was to write it."""
    assert (unknown(A), unknown(B)) == told(append(SQL, [A, B], "me"), LOST)


@pytest.mark.parametrize("error", [LOST, REFUSED], ids=["lost", "refused"])
def test_what_the_first_try_wrote_stands_whatever_the_second_meets(error: StorageError) -> None:
    """Or somebody would believe that nothing was written, and begin anew."""
    script = append(SQL, [A, B], "me")

    assert (committed(A), unknown(B)) == told(script, [wrote(A)], [stands(B)], error)


@pytest.mark.parametrize("error", [LOST, REFUSED], ids=["lost", "refused"])
def test_what_was_written_stands_whatever_a_group_meets(error: StorageError) -> None:
    """A group has a transaction of its own."""
    script = append(SQL, [GROUPED, A], "me")

    assert (unknown(GROUPED), committed(A)) == told(script, [wrote(A)], error)


def test_a_claim_that_could_not_be_stored_comes_out() -> None:
    """Its transaction is gone, so nothing of it was written."""
    script = append_and_commit(SQL, [A], "me", (), locked=True, fresh=False)

    with pytest.raises(StorageError, match="the disk is full"):
        told(script, REFUSED)


def test_a_claim_whose_commit_was_lost_is_unknown() -> None:
    """Together with the group in its transaction."""
    script = append_and_commit(SQL, [A, GROUPED], "me", (), locked=True, fresh=False)
    grouped = [NOTHING, wrote(GROUPED)]  # of the savepoint, and of the statement

    assert (unknown(A), unknown(GROUPED)) == told(script, grouped, [NOTHING], LOST)


def test_a_claim_that_was_stored_stands_whatever_comes_of_the_others() -> None:
    """Where their journals stand could not be learnt any more."""
    script = append_and_commit(SQL, [A, B], "me", (), locked=True, fresh=False)
    written = [wrote(A), NOTHING]  # of the statement, and of the commit

    assert (committed(A), unknown(B)) == told(script, written, REFUSED)
