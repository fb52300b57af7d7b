"""What a process says with its exit code, and which error says what."""

from collections.abc import Mapping
from typing import Final

from squidmesh_core.errors import (
    ConfigError,
    DefinitionError,
    IdempotencyConflict,
    PayloadError,
    Refused,
    RevisionConflict,
    RunNotFound,
    SquidmeshError,
    StorageError,
    UnsafeReplay,
    WaitTimeout,
)

DONE: Final = 0
RUN_FAILED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
REFUSED: Final = 4
UNSAFE: Final = 5
INVALID: Final = 6
STORAGE: Final = 7
TIMED_OUT: Final = 8
INTERRUPTED: Final = 130
#: Nobody reads any more what is said; `| head` has had enough.  A shell says so of SIGPIPE.
UNREAD: Final = 141

_BY_ERROR: Final[Mapping[type[SquidmeshError], int]] = {
    ConfigError: USAGE,
    PayloadError: USAGE,
    RunNotFound: NOT_FOUND,
    Refused: REFUSED,
    IdempotencyConflict: REFUSED,
    RevisionConflict: REFUSED,
    UnsafeReplay: UNSAFE,
    DefinitionError: INVALID,
    StorageError: STORAGE,
    WaitTimeout: TIMED_OUT,
}
#: Codes that say another thing than their kind of error: a missing driver is no
#: mistake of whoever typed the command.
_BY_CODE: Final[Mapping[str, int]] = {"missing_extra": STORAGE}
#: What to do about a code, where the message does not say it already.
_HINTS: Final[Mapping[str, str]] = {
    "not_found": "list them with `squidmesh runs`",
    "ambiguous_run_id": "type more of the id",
    "idempotency_conflict": "use another --key for another request",
    "revision_conflict": "the run is very busy; try again",
    "outcome_unknown": "repeat the command with the same --key",
    "storage_unavailable": "try again when the database answers",
    "wait_timeout": "the run goes on; look at it with `squidmesh show`",
    "terminal_run": "look at it with `squidmesh show`",
    "run_quarantined": "`squidmesh verify` says what is wrong, and lifts the mark once it is right",
    "newer_entries": "use the squidmesh that wrote it, or a newer one",
    "ambiguous_gate": "name one with --node",
    "compensating": "`squidmesh show` tells how far it is; `squidmesh cancel --abandon` ends it",
    "unsafe_replay": "--dry-run shows what it would do; --allow-irreversible does it",
}


def exit_code(error: SquidmeshError) -> int:
    """The exit code that an error ends the process with."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    for kind in type(error).__mro__:
        if kind in _BY_ERROR:
            return _BY_ERROR[kind]
    return RUN_FAILED


def hint_for(error: SquidmeshError) -> str:
    """What to do about it; empty where the message says it."""
    if error.code == "idempotency_conflict" and "key" not in error.details:
        return ""  # a file brought a run that is here already: no key was typed
    command = error.details.get("command")
    if error.code == "schema_behind" and isinstance(command, str):
        return f"type: {command}"
    if error.code == "invalid_review" and error.details.get("field") == "actor":
        return "say who decides with --by NAME"
    return hint_of(error.code)


def hint_of(code: str) -> str:
    """What to do about a code, whatever it happened to; empty where its message says it."""
    return _HINTS.get(code, "")
