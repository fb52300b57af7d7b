"""
Redacting a journal so that it can be handed on: the same entries, without secrets.

What a definition calls sensitive is masked, and so is every value under a name such
as `password`.  What moves the run (keys, routes, instants, claims) stays as it is, so
that the redacted journal folds to the same run; its chain is made anew.

The definition that it follows cannot be redacted, because its fingerprint is its
name: a default that a sensitive field has there, and what a condition compares one
with, is in the file.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, assert_never, cast

from attrs import evolve

from squidmesh.files.masking import Mask
from squidmesh_core.ids import AttemptKey, NodeName, RunId
from squidmesh_core.protocol.chain import AppendRecord, link, origin
from squidmesh_core.protocol.codec import encode, entries_of
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptFailed,
    AttemptHeartbeat,
    AttemptScheduled,
    CompensationStarted,
    Decided,
    Entry,
    Failure,
    InputValue,
    ManualStepPaused,
    ManualStepResolved,
    MessageAwaited,
    MessageReceived,
    Reused,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.state.run import RunState
from squidmesh_core.values.redaction import redact, redact_map

T = TypeVar("T")


def redacted(
    run_id: RunId, records: Sequence[AppendRecord], state: RunState, mask: Mask
) -> tuple[AppendRecord, ...]:
    """
    The appends of a run without its secrets.

    Args:
        run_id: The run.
        records: All its appends, in order.
        state: The fold of them all.
        mask: What is sensitive in the run.
    """
    journal, previous, made = _Journal(state, mask), origin(run_id), list[AppendRecord]()
    for record in records:
        body = encode([journal.entry(entry) for entry in entries_of(record)], run_id)
        previous = link(previous, body)
        made.append(evolve(record, body=body, hash=previous))
    return tuple(made)


class _Journal:
    """The entries of one run, one after the other."""

    def __init__(self, state: RunState, mask: Mask) -> None:
        self._state = state
        self._mask = mask

    def entry(self, entry: Entry) -> Entry:
        """One entry without secrets; each member that a host fills is named here."""
        match entry:
            case RunSignalReceived():
                return evolve(
                    entry,
                    payload=self._data(entry.payload),
                    actor=self._data(entry.actor),
                    comment=self._text(entry.comment),
                    metadata=self._data(entry.metadata),
                    idempotency_key=self._text(entry.idempotency_key),
                )
            case RunStarted():
                return evolve(
                    entry,
                    input=_map(self._mask.context(entry.input)),
                    tags=self._texts(entry.tags),
                    partition_key=self._text(entry.partition_key),
                )
            case AttemptScheduled():
                return self._scheduled(entry)
            case AttemptHeartbeat():
                return evolve(entry, progress=self._data(entry.progress))
            case AttemptCompleted():
                return evolve(entry, output=self._output(self._step(entry), entry.output))
            case AttemptFailed():
                return evolve(entry, error=self._blank(entry.error))
            case StepApplied():
                return self._applied(entry)
            case ManualStepResolved():
                return evolve(
                    entry,
                    actor=self._data(entry.actor),
                    comment=self._text(entry.comment),
                    result=self._output(entry.step or NodeName(""), entry.result),
                )
            case MessageAwaited():
                found_by = entry.correlation
                shown = found_by and self._mask.correlation(entry.step, found_by)
                return evolve(entry, correlation=shown)
            case MessageReceived():
                return evolve(entry, payload=self._output(entry.step, entry.payload))
            case CompensationStarted():
                return evolve(entry, failure=self._failure(entry.failure))
            case RunTerminal():
                left = [evolve(one, error=self._failure(one.error)) for one in entry.recovery]
                return evolve(entry, error=self._failure(entry.error), recovery=tuple(left))
            case AttemptClaimed() | ManualStepPaused() | RunPruned():
                return entry  # nothing in it comes from a host's data
        assert_never(entry)

    def _scheduled(self, entry: AttemptScheduled) -> AttemptScheduled:
        given, deferred = entry.input, entry.deferred
        if isinstance(given, InputValue):
            given = InputValue(value=self._data(given.value))
        if deferred is not None:
            deferred = evolve(deferred, reason=self._data(deferred.reason))
        return evolve(entry, input=given, deferred=deferred)

    def _applied(self, entry: StepApplied) -> StepApplied:
        return evolve(
            entry,
            transition=self._decided(entry.transition),
            error=self._failure(entry.error),
            reused_from=self._reused(entry.step, entry.reused_from),
        )

    def _decided(self, taken: Decided | None) -> Decided | None:
        if taken is None:
            return None
        return evolve(taken, values=_map(self._mask.decisive(taken.values)))

    def _reused(self, step: NodeName, reused: Reused | None) -> Reused | None:
        if reused is None:
            return None
        given = None if reused.input is None else _map(self._mask.input(step, reused.input))
        return evolve(reused, value=self._output(step, reused.value), input=given)

    def _failure(self, failure: Failure | None) -> Failure | None:
        return None if failure is None else self._blank(failure)

    def _blank(self, failure: Failure) -> Failure:
        return evolve(
            failure,
            message=self._mask.text(failure.message),
            code=self._text(failure.code),
            details=self._data(failure.details),
        )

    def _step(self, entry: AttemptCompleted) -> NodeName:
        attempt = self._state.attempt(AttemptKey(entry.attempt_key))
        return NodeName("") if attempt is None else attempt.intent.step

    def _output(self, step: NodeName, value: object) -> object:
        return redact(self._mask.output(step, value))

    def _data(self, value: T) -> T:
        # Masking leaves lists, maps and texts what they are.
        return cast("T", redact(self._mask.value(value)))

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self._mask.text(text)

    def _texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._mask.text(text) for text in texts)


def _map(masked: object) -> Mapping[str, object]:
    """A map that was masked, without what stands under a sensitive name."""
    return redact_map(masked) if isinstance(masked, Mapping) else {}
