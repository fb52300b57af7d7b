"""
Performing a step: call the action, and say as a value what came of it.

Whatever a step raises is the step's failure, even if it looks like a database
error: failures are classified by where they were raised, never by type or text
(specs/protocol.md §8.8).  Nothing a step does ends its worker.
"""

import logging
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import copy_context
from datetime import UTC, datetime
from threading import current_thread, main_thread
from typing import Any, Final

from attrs import Factory, evolve, frozen

from squidmesh import checks
from squidmesh.actions import Action
from squidmesh.authoring.assignable import assignable
from squidmesh.authoring.decode import reader_for
from squidmesh.authoring.encode import encode
from squidmesh.authoring.mismatch import ContractMismatch
from squidmesh.authoring.modules import class_name
from squidmesh.authoring.signature import Signature
from squidmesh.context import Context
from squidmesh.duration import Duration
from squidmesh.results import Defer, Fail, Retry
from squidmesh.workers.claim import Claim
from squidmesh_core.canonical import storable
from squidmesh_core.errors import SquidmeshError, StorageError
from squidmesh_core.ids import deferrals
from squidmesh_core.plan.retry import other_code_delay
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values.policy import LONGEST_DELAY_MS

LOG: Final = logging.getLogger("squidmesh.worker")
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
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
    #: Whether the function was not called, because the input does not fit it.
    uncalled: bool = False
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


@frozen(kw_only=True)
class Settled:
    """The step was settled in its own transaction: there is nothing left to record."""

    #: The claim of the run's next attempt, if that transaction made one.
    following: Claim | None = None


#: What a slot has in hand once a step was performed.
Performed = Outcome | Settled
#: A step on its way: it yields what has to be awaited, and ends with what came of it.
Performing = Generator[Coroutine[Any, Any, object], object, Outcome]


def perform(
    action: Action,
    claim: Claim,
    context: Callable[[], Context],
    run_async: Await,
    *,
    undoes: Signature | None = None,
) -> Outcome:
    """
    Call a step on this thread and interpret what it answers.

    Args:
        action: See `performing`.
        claim: See `performing`.
        context: See `performing`.
        run_async: How coroutines are run to their end.
        undoes: See `performing`.
    """
    trip = performing(action, claim, context, undoes=undoes)
    try:
        coroutine = next(trip)
        while True:
            try:
                answer = run_async(coroutine)
            except BaseException as exc:  # whatever it is, `performing` says what it means
                coroutine = trip.throw(exc)
            else:
                coroutine = trip.send(answer)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome


def performing(
    action: Action,
    claim: Claim,
    context: Callable[[], Context],
    *,
    undoes: Signature | None = None,
) -> Performing:
    """
    Call a step and interpret what it answers.

    A coroutine is yielded, once, to be run to its end; its result is sent, or what
    it raised thrown.

    Args:
        action: What to call.
        claim: What it is called for, with the input as the definition bound it; of a
            callback, what its step was given and gave.
        context: Makes the context, if the step asks for one.
        undoes: Of a callback, the step that it undoes, where that is known.
    """
    signature = action.signature
    try:
        arguments = _arguments(signature, claim, undoes)
    except ContractMismatch as mismatch:
        return evolve(_mismatch("invalid_input", mismatch), uncalled=True)
    except Exception as exc:  # a contract of the host's may check itself, and raise anything
        return evolve(_raised(exc, kind="invalid_input"), retryable=False, uncalled=True)
    leading = () if signature.context is None else (context(),)
    try:
        # What it sets there, such as the precision of decimals, ends with it: the next step
        # of this thread belongs to another run.
        answer = copy_context().run(action.fn, *leading, **arguments)
        if isinstance(answer, Coroutine):
            answer = yield answer
    except (Retry, Defer, Fail) as raised:
        return _said(raised)
    except BaseException as exc:  # SystemExit and cancellation too: see above
        if isinstance(exc, KeyboardInterrupt) and current_thread() is main_thread():
            raise  # somebody pressed Ctrl-C; nobody else can raise it there
        message = "'%s' of run %s raised %s, attempt %d"
        kind = type(exc).__name__
        LOG.info(message, claim.node, claim.run_id, kind, claim.attempt, exc_info=exc)
        return _raised(exc)
    return _interpreted(signature, claim, answer)


def _interpreted(signature: Signature, claim: Claim, answer: object) -> Outcome:
    """What a step meant that has returned."""
    if isinstance(answer, Retry | Defer | Fail):
        return _said(answer)
    if claim.kind == "compensation":
        return Succeeded(output=_kept(answer))
    try:
        return Succeeded(output=storable(signature.result(answer), where="the output"))
    except ContractMismatch as mismatch:
        return _mismatch("invalid_output", mismatch)
    except StorageError as refused:
        return _not_storable(refused)
    except Exception as exc:  # a property that raises, a list inside itself
        return evolve(_raised(exc, kind="invalid_output"), retryable=False)


def _arguments(signature: Signature, claim: Claim, undoes: Signature | None) -> dict[str, object]:
    """
    What the function is called with, by name; a callback gets the output of its step first.

    Raises:
        ContractMismatch: The input does not fit the function.
    """
    if claim.kind != "compensation":
        return signature.bind(claim.input, whole=claim.whole_context)
    first = next(iter(signature.inputs.values()), None)
    if first is None:
        return signature.bind({})
    # A lambda, or a callback for a base class, gets what the step returned all the same.
    if undoes is not None and undoes.output is not Any and assignable(undoes.output, first.hint):
        first = evolve(first, read=reader_for(undoes.output))
        signature = evolve(signature, inputs={**signature.inputs, first.name: first})
    return signature.bind({first.name: claim.input["output"]})


def _kept(answer: object) -> object:
    """What a callback returned, or null: nobody asked for it, and its work is done."""
    try:
        return storable(encode(answer, Any), where="the output")
    except Exception:  # a property that raises, a list inside itself, no JSON form
        return None


def timed_out(limit_ms: int) -> Failed:
    """The failure of a step that took longer than it may; its policy may try again."""
    return Failed(
        error=Failure(kind="timed_out", message=f"the step took longer than {limit_ms} ms")
    )


def for_other_code(claim: Claim, signature: Signature, error: Failure) -> Deferred:
    """The deferral of an attempt whose input was meant for another version of its function."""
    message = f"meant for other code: {signature.name}(): {error.message}"
    LOG.warning("'%s' of run %s: %s", claim.node, claim.run_id, message)
    delay = other_code_delay(deferrals(claim.attempt_key))
    return Deferred(reason={"message": _text(message)}, delay_ms=delay)


def is_timed_out(outcome: Performed) -> bool:
    """Whether a step took longer than it may."""
    return isinstance(outcome, Failed) and outcome.error.kind == "timed_out"


def succeeded(output: object) -> Succeeded:
    """
    The outcome of an executor of one's own: any JSON-like value, or a contract object.

    Raises:
        StorageError: `not_storable`: the output cannot be stored.
    """
    try:
        written = encode(output, Any)
    except ContractMismatch as misfit:
        raise StorageError(
            f"the output cannot be stored: {misfit}; nothing was written",
            "not_storable",
            misfit.details,
        ) from None
    return Succeeded(output=storable(written, where="the output"))


def failed(error: object, *, retryable: bool, after_ms: int | None) -> Failed:
    """
    The failure of an executor of one's own: an exception, or a text.

    Raises:
        ConfigError: The error is neither, or `retryable` neither true nor false.
    """
    checks.flag("retryable", retryable)
    if isinstance(error, str):
        said: Outcome = Failed(error=Failure(kind="Failure", message=_text(error)))
    elif isinstance(error, Retry | Fail):
        said = _said(error)
    elif isinstance(error, BaseException) and not isinstance(error, Defer):
        said = _raised(error)
    else:
        raise checks.wrong(
            "error", "expected an exception or a text; a deferral has a verb of its own"
        )
    if not isinstance(said, Failed):
        raise TypeError(f"{said!r} is no failure")
    return evolve(
        said,
        retryable=said.retryable and retryable,
        retry_after_ms=said.retry_after_ms if after_ms is None else after_ms,
    )


def deferred(reason: str, *, for_: Duration | None, until: datetime | None) -> Deferred:
    """
    The deferral of an executor of one's own.

    Raises:
        ConfigError: An option is wrong.
        TypeError: Neither or both of `for_` and `until` are given.
    """
    said = _deferred(
        Defer(checks.text("reason", reason, longest=LONGEST_MESSAGE), for_=for_, until=until)
    )
    if isinstance(said, Failed):
        raise checks.wrong("until" if for_ is None else "for_", said.error.message)
    return said


def _said(answer: Retry | Defer | Fail) -> Outcome:
    if isinstance(answer, Defer):
        return _deferred(answer)
    error = Failure(
        kind="Fail" if isinstance(answer, Fail) else "Retry",
        message=_text(answer.message),
        code=None if answer.code is None else _text(answer.code),
        details=_details(answer.details),
    )
    if isinstance(answer, Fail):
        return Failed(error=error, retryable=False)
    return Failed(error=error, retry_after_ms=answer.after_ms)


def _deferred(answer: Defer) -> Deferred | Failed:
    reason = {**_details(answer.details), "message": _text(answer.reason)}
    try:
        until = None if answer.until is None else answer.until.astimezone(UTC)
    except OverflowError:
        until = _NEVER
    if until == _NEVER or (answer.for_ms or 0) > LONGEST_DELAY_MS:
        message = "a deferral of more than 366 days, or beyond the years 1 to 9999 in UTC, is none"
        return Failed(error=Failure(kind="invalid_output", message=message), retryable=False)
    return Deferred(reason=reason, delay_ms=answer.for_ms, until=until)


def _raised(exc: BaseException, *, kind: str | None = None) -> Failed:
    kinds = tuple(class_name(cls) for cls in type(exc).__mro__ if issubclass(cls, BaseException))
    error = Failure(kind=kind or _text(type(exc).__name__), message=_text(exc))
    if isinstance(exc, SquidmeshError):  # what squidmesh says no with has a code, and facts
        error = evolve(error, code=_text(exc.code), details=_details(exc.details))
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
    except Exception as exc:  # a broken mapping is no reason to lose the failure
        return {"details_not_storable": f"they raised {type(exc).__name__}"}
    return kept if isinstance(kept, dict) else {}


def _text(value: object) -> str:
    """A text that any database stores: no NUL, no lone surrogates, not too long."""
    try:
        said = str(value)
    except Exception:  # a broken __str__ is no reason to lose the failure
        said = "(its text cannot be read)"
    clean = said.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean[:LONGEST_MESSAGE]
