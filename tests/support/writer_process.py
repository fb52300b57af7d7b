"""A process beside the tests: `writer_process.py <what> <file> <number>`."""

import os
import sys
from pathlib import Path

from squidmesh_core.protocol.rows import RowChanges
from squidmesh_storage.api import Batch, Committed
from squidmesh_storage.conformance.kit import attempt, commit, first, key, on, run_id, then
from squidmesh_storage.sqlite import SqliteJournal


def grow_for_ever(journal: SqliteJournal, number: int) -> None:
    """Append to one run until killed; say each revision once it is acknowledged."""
    steps = 0
    batch = first(run_id(number), rows=_step(number, steps))
    while True:
        commit(journal, batch)
        print(batch.record.last, flush=True)
        steps += 1
        batch = then(batch, entries=2, rows=_step(number, steps))


def race(journal: SqliteJournal, number: int) -> None:
    """Win a hundred appends to run 1, which others want as well; and one to an own run."""
    commit(journal, first(run_id(number)))
    won = 0
    while won < 100:
        batch = on(run_id(1), journal.load(run_id(1)).head)
        won += isinstance(journal.append((batch,))[0], Committed)


def fork(journal: SqliteJournal, number: int) -> None:
    """Use one journal on both sides of a fork."""
    begun = first(run_id(number))
    commit(journal, begun)
    child = os.fork()
    if child == 0:
        _use_and_leave(journal, then(begun))
    _, status = os.waitpid(child, 0)
    head = journal.load(run_id(number)).head
    commit(journal, on(run_id(number), head))
    print(os.waitstatus_to_exitcode(status), journal.load(run_id(number)).head.revision)


def _use_and_leave(journal: SqliteJournal, batch: Batch) -> None:
    try:
        inherited = journal._present.writer.connection
        commit(journal, batch)
        if journal._present.writer.connection is inherited:
            os._exit(2)
        journal.close()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _step(number: int, steps: int) -> RowChanges:
    run = run_id(number)
    old = (key(run, f"s{steps - 1}"),) if steps else ()
    return RowChanges(put=(attempt(run, step=f"s{steps}"),), drop=old)


if __name__ == "__main__":
    what, file, number = sys.argv[1:]
    if what == "open-as-nobody":
        os.setgid(65534)
        os.setuid(65534)
    journal = SqliteJournal(Path(file))
    if what in {"grow", "race", "fork"}:
        {"grow": grow_for_ever, "race": race, "fork": fork}[what](journal, int(number))
    journal.close()
