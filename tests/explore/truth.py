"""Whether what a process was told of a command is so."""

from explore.shelf import Story
from squidmesh.door.handle import Handled
from squidmesh_core.decide import Already, Decision, Refusal
from squidmesh_core.errors import OutcomeUnknown, StorageUnavailable
from squidmesh_core.protocol.commands import (
    Cancel,
    Command,
    Complete,
    Defer,
    Fail,
    Pause,
    Resume,
    Review,
    Send,
)
from squidmesh_core.protocol.entries import AttemptCompleted, AttemptFailed, RunSignalReceived


def untrue(command: Command, said: Handled | Exception, story: Story) -> str | None:
    """What is wrong about what was said of a command, if anything is."""
    if isinstance(said, Exception):
        # The storage may be away; nobody should meet anything else.
        if isinstance(said, StorageUnavailable | OutcomeUnknown):
            return None
        return f"a command met {type(said).__name__}: {said}"
    match said.answer:
        case Decision(entries=entries):
            there = story.entries[entries[0].revision - 1 : entries[-1].revision]
            return None if there == entries else "said to be written, and is not"
        case Already() if isinstance(command, Complete):
            return "settled once, and told that it was before"
        case Already(revision=revision):
            there = story.entries[revision - 1 : revision]
            known = (RunSignalReceived, AttemptCompleted)
            return None if there and isinstance(there[0], known) else "said to be done, and is not"
        case Refusal():
            return _done_all_the_same(command, story)


def _done_all_the_same(command: Command, story: Story) -> str | None:
    match command:
        case Complete() | Fail() | Defer():
            ended = [e for e in story.entries if isinstance(e, AttemptCompleted | AttemptFailed)]
            if any(entry.claim_id == command.held.claim_id for entry in ended):
                return "a settlement is refused, and written"
        case Cancel() | Pause() | Resume() | Review() | Send() if command.said.key is not None:
            for entry in story.entries:
                if (
                    isinstance(entry, RunSignalReceived)
                    and entry.idempotency_key == command.said.key
                    and entry.digest == command.digest
                ):
                    return "a command is refused, and was done"
        case _:
            pass
    return None


def heard(said: Handled | Exception) -> str:
    """What a process was told, in a word or two."""
    if isinstance(said, Exception):
        return f"error {type(said).__name__}"
    match said.answer:
        case Decision():
            return "done"
        case Already():
            return "already"
        case Refusal(code=code):
            return f"refused {code}"
