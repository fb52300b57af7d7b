"""Looks of a worker without a free slot, that a test can wait for."""

import threading
from collections.abc import Sequence
from typing import Final

import pytest

from squidmesh.workers.outlook import Outlook
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import decode
from squidmesh_core.protocol.entries import AttemptClaimed, AttemptCompleted, Entry
from squidmesh_storage.api import Journal

#: Priorities: smaller is sooner.
URGENT: Final = 1
PATIENT: Final = 10


class Looks:
    """
    Slots go on with their runs for as long as nothing urgent is seen; one sight is the last.

    Args:
        patch: Undoes it afterwards.
        sight: The priority that is waited for, in the queue `default`.
    """

    def __init__(self, patch: pytest.MonkeyPatch, sight: int = URGENT) -> None:
        #: Set when a worker knows that something of this priority waits.
        self.seen = threading.Event()
        honest = Outlook.look

        def look(outlook: Outlook) -> None:
            if not self.seen.is_set():
                honest(outlook)
                if outlook.waiting == {"default": sight}:
                    self.seen.set()

        patch.setattr(Outlook, "look", look)
        for module in ("loop", "outlook"):
            patch.setattr(f"squidmesh.workers.{module}.LOOK", 0.01)
            patch.setattr(f"squidmesh.workers.{module}.LONGEST_STRAND", 60.0)


def settled_with(journal: Journal, run_id: str) -> list[tuple[bool, bool]]:
    """Of each append that does either: whether it completes an attempt, and whether it claims one."""
    run = RunId(run_id)
    appends = [
        decode(one.body, run_id=run, first=one.first)
        for one in journal.load(run, whole=True).records
    ]
    done = [(_has(entries, AttemptCompleted), _has(entries, AttemptClaimed)) for entries in appends]
    return [one for one in done if any(one)]  # a start may find the slot not free yet


def _has(entries: Sequence[Entry], kind: type[Entry]) -> bool:
    return any(isinstance(entry, kind) for entry in entries)


START, GO_ON, END = (False, True), (True, True), (True, False)
#: A run of three steps that kept its slot.
KEPT: Final = [START, GO_ON, GO_ON, END]
#: One that let go of it after the first: what followed was claimed by itself, and what
#: came then on the way again.
LET_GO: Final = [START, END, START, GO_ON, END]
