"""
Performing a step: call the action, and say as a value what came of it.

Whatever a step raises is the step's failure, even if it looks like a database
error: failures are classified by where they were raised, never by type or text
(specs/protocol.md §8.8).  Nothing a step does ends its worker.
"""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import Factory, evolve, frozen

from squidmesh.actions import Action
from squidmesh.authoring.encode import encode
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.claim import Claim
from squidmesh.context import Context
from squidmesh.duration import Duration
from squidmesh.results import Defer, Fail, Retry
from squidmesh_core.canonical import storable
from squidmesh_core.errors import StorageError
from squidmesh_core.protocol.entries import Failure

#: Characters of an error's text that are kept.
LONGEST_MESSAGE: Final = 8 * 1024

#: Runs a coroutine to its end and gives its result; the caller's thread waits.
Await = Callable[[Coroutine[Any, Any, object]], object]


@frozen(kw_only=True)
class Succeeded:
    """The step returned an output that can be stored."""

    output: object = None


@frozen(kw_only=True)
class Failed:
    """The step failed, or its input or output did not fit."""

    error: Failure
    #: False when no retry can help.
    retryable: bool = True
    #: Names of the exception's class and its bases.
    kinds: tuple[str, ...] = ()
    retry_after_ms: int | None = None


@frozen(kw_only=True)
class Deferred:
    """The step wants the same work done later."""

    reason: Mapping[str, object] = Factory(dict)
    delay_ms: int | None = None
    until: datetime | None = None


Outcome = Succeeded | Failed | Deferred


def perform(
    action: Action, claim: Claim, context: Callable[[], Context], run_async: Await
) -> Outcome:
    """
    Call a step and interpret what it answers.

    Args:
        action: What to call.
        claim: What it is called for, with the input as the definition bound it.
        context: Makes the context, if the step asks for one.
        run_async: How coroutines are run to their end.
    """
    signature = action.signature
    try:
        arguments = signature.bind(claim.input, whole=claim.whole_context)
    except ContractMismatch as mismatch:
        return _mismatch("invalid_input", mismatch)
    leading = () if signature.context is None else (context(),)
    try:
        answer = action.fn(*leading, **arguments)
        if isinstance(answer, Coroutine):
            answer = run_async(answer)
    except (Retry, Defer, Fail) as raised:
        return _said(raised)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # SystemExit and cancellation too: see above
        return _raised(exc)
    if isinstance(answer, Retry | Defer | Fail):
        return _said(answer)
    try:
        return Succeeded(output=storable(signature.result(answer), where="the output"))
    except ContractMismatch as mismatch:
        return _mismatch("invalid_output", mismatch)
    except StorageError as refused:
        return _not_storable(refused)


def succeeded(output: object) -> Succeeded:
    """
    The outcome of an executor of one's own: any JSON-like value, or a contract object.

    Raises:
        StorageError: `not_storable`: the output cannot be stored.
    """
    try:
        written = encode(output, Any)
    except ContractMismatch as mismatch:
        raise StorageError(
            f"the output cannot be stored: {mismatch}; nothing was written",
            "not_storable",
            dict(mismatch.details),
        ) from None
    return Succeeded(output=storable(written, where="the output"))


def failed(error: BaseException | str, *, retryable: bool, after_ms: int | None) -> Failed:
    """The failure of an executor of one's own: an exception, or a text."""
    if isinstance(error, str):
        said: Outcome = Failed(error=Failure(kind="Failure", message=_text(error)))
    elif isinstance(error, Retry | Fail):
        said = _said(error)
    else:
        said = _raised(error)
    if not isinstance(said, Failed):
        raise TypeError(f"{error!r} is no failure")
    return evolve(
        said,
        retryable=said.retryable and retryable,
        retry_after_ms=said.retry_after_ms if after_ms is None else after_ms,
    )


def deferred(reason: str, *, for_: Duration | None, until: datetime | None) -> Deferred:
    """
    The deferral of an executor of one's own.

    Raises:
        TypeError: Neither or both of `for_` and `until` are given.
    """
    said = Defer(reason, for_=for_, until=until)
    return Deferred(reason={"message": _text(reason)}, delay_ms=said.for_ms, until=said.until)


def _said(answer: Retry | Defer | Fail) -> Outcome:
    details = _details(answer.details)
    match answer:
        case Defer():
            reason = {"message": _text(answer.reason), **details}
            return Deferred(reason=reason, delay_ms=answer.for_ms, until=answer.until)
        case Retry():
            error = Failure(
                kind="Retry", message=_text(answer.message), code=answer.code, details=details
            )
            return Failed(error=error, retry_after_ms=answer.after_ms)
        case Fail():
            error = Failure(
                kind="Fail", message=_text(answer.message), code=answer.code, details=details
            )
            return Failed(error=error, retryable=False)


def _raised(exc: BaseException) -> Failed:
    try:
        message = str(exc)
    except Exception:  # a broken __str__ is no reason to lose the failure
        message = "(its text cannot be read)"
    kinds = tuple(
        f"{cls.__module__}.{cls.__qualname__}"
        for cls in type(exc).__mro__
        if issubclass(cls, BaseException)
    )
    error = Failure(kind=type(exc).__name__, message=_text(message))
    return Failed(error=error, kinds=kinds)


def _mismatch(kind: str, mismatch: ContractMismatch) -> Failed:
    error = Failure(kind=kind, message=_text(str(mismatch)), details=_details(mismatch.details))
    return Failed(error=error, retryable=False)


def _not_storable(refused: StorageError) -> Failed:
    error = Failure(
        kind="invalid_output", message=_text(refused.message), details=_details(refused.details)
    )
    return Failed(error=error, retryable=False)


def _details(details: Mapping[str, object]) -> Mapping[str, object]:
    """The step's own facts, or why they could not be kept."""
    try:
        kept = storable(dict(details), where="the details of the error")
    except StorageError as refused:
        return {"details_not_storable": refused.message}
    return kept if isinstance(kept, dict) else {}


def _text(text: object) -> str:
    """A text that any database stores: no NUL, no lone surrogates, not too long."""
    clean = str(text).replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean[:LONGEST_MESSAGE]
