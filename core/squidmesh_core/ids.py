"""
Identities and the keys made of them.

Every key is derived here and nowhere else (specs/protocol.md §1):

    visit_key    <run_id>:<step>            from the second visit on  <run_id>:<step>@<n>
    attempt_key  <visit_key>:<number>       a deferral appends        :deferred, :deferred2 …
    undo_key     <run_id>:compensate:<step>[@<n>]    the visit that undoes that visit
    timeout_key  <visit_key>:timeout        the whole run's is        <run_id>:timeout

Nothing here draws randomness: random bytes come in as arguments.
"""

import base64
import re
from hashlib import sha256
from typing import Final, NewType

RunId = NewType("RunId", str)
NodeName = NewType("NodeName", str)
VisitKey = NewType("VisitKey", str)
AttemptKey = NewType("AttemptKey", str)
ClaimId = NewType("ClaimId", str)
AppendId = NewType("AppendId", str)
Fingerprint = NewType("Fingerprint", str)
Revision = NewType("Revision", int)
FencingToken = NewType("FencingToken", int)

#: The revision before a journal's first entry.
BEGINNING: Final = Revision(0)

#: What tells the key of a visit that undoes another; node names hold no colon.
UNDO_MARK: Final = ":compensate:"

#: What the ids of runs made of runs are derived from, beside the source and a key.
SIGNAL_KIND: Final = "squidmesh.runtime.signal"

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NODE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ACTION: Final = re.compile(r"[A-Za-z0-9_.<>-]{1,255}")


def is_run_id(text: str) -> bool:
    """Whether the text is a UUID in its canonical lower-case form."""
    return _UUID.fullmatch(text) is not None


def is_node_name(text: str) -> bool:
    """Whether the text can name a node: no `:` and no `@`, at most 128 characters."""
    return _NODE.fullmatch(text) is not None


def is_queue_name(text: str) -> bool:
    """Whether the text can name a queue."""
    return _QUEUE.fullmatch(text) is not None


def is_action_key(text: str) -> bool:
    """Whether the text can name an action."""
    return _ACTION.fullmatch(text) is not None


def visit_key(run_id: RunId, node: NodeName, visit: int = 1) -> VisitKey:
    """The key of the n-th entry into a node; `visit` counts from 1."""
    return VisitKey(f"{run_id}:{node}" if visit == 1 else f"{run_id}:{node}@{visit}")


def visit_number(visit: VisitKey) -> int:
    """Which entry into its node a visit is; the inverse of `visit_key`."""
    _, _, number = visit.rpartition("@")
    return int(number) if number != visit and number.isdecimal() else 1


def visit_node(visit: VisitKey) -> NodeName:
    """The node that a visit enters."""
    node = visit.rpartition(":")[2]
    return NodeName(node.partition("@")[0])


def attempt_key(visit: VisitKey, number: int) -> AttemptKey:
    """The key of the n-th try of a visit; `number` counts from 1."""
    return AttemptKey(f"{visit}:{number}")


def attempt_visit(key: AttemptKey) -> VisitKey:
    """The visit of an attempt, deferred or not, or of a timer; the inverse of `attempt_key`."""
    stem, _, tail = key.rpartition(":")
    return VisitKey(stem.rpartition(":")[0] if tail.startswith("deferred") else stem)


def deferred_key(key: AttemptKey) -> AttemptKey:
    """The key of the continuation of a deferred attempt."""
    turns = deferrals(key)
    if not turns:
        return AttemptKey(f"{key}:deferred")
    stem, _, _ = key.rpartition(":")
    return AttemptKey(f"{stem}:deferred{turns + 1}")


def deferrals(key: AttemptKey) -> int:
    """How often the attempt of this key was deferred before."""
    _, _, tail = key.rpartition(":")
    return int(tail.removeprefix("deferred") or "1") if tail.startswith("deferred") else 0


def undo_key(visit: VisitKey) -> VisitKey:
    """The key of the visit that undoes a visit."""
    run_id, _, node = visit.rpartition(":")
    return VisitKey(f"{run_id}{UNDO_MARK}{node}")


def undone_visit(visit: VisitKey) -> VisitKey | None:
    """The visit that a visit undoes, if it is there to undo one; the inverse of `undo_key`."""
    run_id, _, node = visit.partition(UNDO_MARK)
    return VisitKey(f"{run_id}:{node}") if run_id and node else None


def run_visit(run_id: RunId) -> VisitKey:
    """What stands for the run itself where a visit is asked for: its time-out."""
    return VisitKey(run_id)


def timeout_key(visit: VisitKey) -> AttemptKey:
    """The key of the timer that ends a visit, or with `run_visit` the run."""
    return AttemptKey(f"{visit}:timeout")


def is_timeout(key: AttemptKey) -> bool:
    """Whether an attempt is the timer of a time-out."""
    return key.endswith(":timeout")


def token_hash(token: str) -> str:
    """What the journal keeps of a claim token: its SHA-256 in lower-case hex."""
    return sha256(token.encode()).hexdigest()


def uuid7(unix_ms: int, randomness: bytes) -> RunId:
    """A time-ordered UUID (RFC 9562, version 7) of an instant and ten random bytes."""
    value = bytearray(unix_ms.to_bytes(6, "big") + randomness[:10])
    value[6] = 0x70 | (value[6] & 0x0F)
    value[8] = 0x80 | (value[8] & 0x3F)
    return RunId(_formatted(bytes(value)))


def derived_run_id(*parts: str) -> RunId:
    """
    The deterministic run id of some parts: keyed starts, cron windows, children.

    Raises:
        ValueError: A part is empty.
    """
    value = bytearray(sha256(_joined(parts)).digest()[:16])
    value[6] = 0x50 | (value[6] & 0x0F)
    value[8] = 0x80 | (value[8] & 0x3F)
    return RunId(_formatted(bytes(value)))


def is_drawn(run_id: RunId) -> bool:
    """
    Whether a run id is of the version that `uuid7` makes of random bytes.

    Nobody can make such an id a second time; a derived one anybody can who knows its parts.
    """
    return run_id[14] == "7"


def retry_run_id(run_id: RunId) -> RunId:
    """The id of the run that undoes what an ended one has left; there is one at most."""
    return derived_run_id(SIGNAL_KIND, f"retry_compensation:{run_id}")


def replay_run_id(run_id: RunId, key: str) -> RunId:
    """
    The id of the replay of a run that is asked for under a key.

    Raises:
        ValueError: The key is empty.
    """
    return derived_run_id(SIGNAL_KIND, f"replay:{run_id}", key)


def cron_signal_id(workflow: str, trigger: str, start_at: str, end_at: str) -> str:
    """The identity of one cron window; bounds are compared as text."""
    digest = sha256(_joined((workflow, trigger, start_at, end_at))).digest()
    return "sha256:" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def child_run_id(parent: RunId, step: str, workflow: str, trigger: str, child_key: str) -> RunId:
    """The id of a child run; a retried parent step finds the same child."""
    return derived_run_id(workflow, trigger, f"{parent}|{step}|{child_key}")


def _joined(parts: tuple[str, ...]) -> bytes:
    if not all(parts):
        raise ValueError("every part of a derived id is a non-empty text")
    return "|".join(f"{len(part.encode())}:{part}" for part in parts).encode()


def _formatted(value: bytes) -> str:
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
