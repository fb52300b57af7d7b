"""What the journal in memory keeps."""

from squidmesh_storage.conformance.kit import (
    attempt,
    commit,
    drops,
    first,
    key,
    puts,
    run_id,
    then,
)
from squidmesh_storage.memory import MemoryJournal


def test_nothing_is_kept_of_the_attempts_of_a_run_that_has_none() -> None:
    """A claim looks at each run of which something is, and most runs have ended."""
    journal = MemoryJournal()
    ending, going_on = (first(run_id(n), rows=puts(attempt(run_id(n)))) for n in (1, 2))
    commit(journal, ending, going_on)

    commit(journal, then(ending, rows=drops(key(run_id(1)))))

    assert [run_id(2)] == list(journal._tables.attempts)
