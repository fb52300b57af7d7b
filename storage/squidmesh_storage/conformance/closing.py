# ruff: noqa: S101 (a test suite that ships with the package)
"""What `close` promises."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Fingerprint, Revision
from squidmesh_core.protocol.rows import IndexRows
from squidmesh_storage.api import Checkpoint, Choice, Journal, Quarantine, RunFilter
from squidmesh_storage.conformance.kit import EPOCH, Promises, first, run_id

RUN: Final = run_id(1)
ONE: Final = Revision(1)
BEGUN: Final = first(RUN)
FINGERPRINT: Final = Fingerprint("ab" * 32)
CHECKPOINT: Final = Checkpoint(revision=ONE, hash=BEGUN.record.hash, codec_version=1, body="{}")
MARK: Final = Quarantine(revision=ONE, reason="a disk")


def _listen(journal: Journal) -> object:
    with journal.listen(("default",)) as wakeups:
        return wakeups


#: Each verb as somebody might call it who has not heard of the end.
VERBS: Final[Mapping[str, Callable[[Journal], object]]] = {
    "append": lambda journal: journal.append((BEGUN,)),
    "checkpoint": lambda journal: journal.checkpoint(RUN),
    "claimable": lambda journal: journal.claimable(("default",), (), 1, lambda _: Choice()),
    "correlated": lambda journal: journal.correlated("orders", "settled", "order-7"),
    "deadlines": lambda journal: journal.deadlines(RunFilter(deadline_at=EPOCH), None, 5),
    "define": lambda journal: journal.define(FINGERPRINT, "{}"),
    "definition": lambda journal: journal.definition(FINGERPRINT),
    "delete_checkpoint": lambda journal: journal.delete_checkpoint(RUN),
    "drop_record": lambda journal: journal.drop_record("queue", "default"),
    "find": lambda journal: journal.find(RUN, BEGUN.record.append_id),
    "finished": lambda journal: journal.finished(EPOCH, 5),
    "foremost": lambda journal: journal.foremost(("default",), ("act",)),
    "index": lambda journal: journal.index(RUN, ONE, IndexRows()),
    "listen": _listen,
    "load": lambda journal: journal.load(RUN),
    "load_many": lambda journal: journal.load_many({RUN: Revision(0)}),
    "now": lambda journal: journal.now(),
    "put_checkpoint": lambda journal: journal.put_checkpoint(RUN, CHECKPOINT),
    "put_record": lambda journal: journal.put_record("queue", "default", "{}"),
    "quarantine": lambda journal: journal.quarantine(RUN, MARK),
    "records": lambda journal: journal.records("queue"),
    "remove": lambda journal: journal.remove(RUN, ONE, None),
    "rows_of": lambda journal: journal.rows_of(RUN),
    "run_ids": lambda journal: journal.run_ids(None, 5),
    "listed_ids": lambda journal: journal.listed_ids(None, 5),
    "runs": lambda journal: journal.runs(RunFilter(), None, 5),
    "stored": lambda journal: journal.stored(RUN, Revision(0), 5),
    "survey": lambda journal: journal.survey(),
    "tally": lambda journal: journal.tally(EPOCH),
}
#: What says something of the journal itself, or is told why nothing can be shared.
OTHERS: Final = frozenset({"url", "close", "lend", "transaction"})


class ClosePromises(Promises):
    """After the end nothing is read and nothing is lost in silence."""

    @pytest.mark.parametrize("verb", VERBS)
    def test_a_closed_journal_refuses_every_verb(self, journal: Journal, verb: str) -> None:
        """And closing twice is fine."""
        journal.close()
        journal.close()

        with pytest.raises(StorageError, match="closed"):
            VERBS[verb](journal)

    def test_every_verb_of_a_journal_is_among_them(self) -> None:
        """A new one would have to say so as well."""
        verbs = {name for base in Journal.__mro__ for name in vars(base) if name[0] != "_"}

        assert verbs == VERBS.keys() | OTHERS
