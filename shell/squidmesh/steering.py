"""
`Steering`: the verbs with which people and systems steer runs; `Mesh` has them all.

Each is a few lines: what was said is checked, the command becomes a value, and
the door carries it out.  The same commands travel as data (`squidmesh.signals`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, Unpack, cast, overload

from squidmesh import checks, replaying, starting
from squidmesh.answering import form_of, message_of
from squidmesh.authoring.gates import Approval, Pause, Receive
from squidmesh.authoring.nodes import BaseNode
from squidmesh.delivering import deliver
from squidmesh.engine import Engine
from squidmesh.outcomes import answered
from squidmesh.people import By, CommandOptions, said
from squidmesh.reading import run_id_of
from squidmesh.snapshot import Snapshot
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import ConfigError, PayloadError
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.requests import (
    Operation,
    ReplayRequest,
    RetryRequest,
    StartRequest,
)
from squidmesh_core.protocol.signals import Signal, command_of, signal_from_json
from squidmesh_core.views.inspection import Run

F = TypeVar("F")
M = TypeVar("M")
RunRef = str | Run | Snapshot


class Steering:
    """The verbs that decide about a run that is there."""

    engine: Engine

    @property
    def workflows(self) -> Mapping[str, Spec]:
        """The registered definitions, by workflow name."""
        raise NotImplementedError

    # -- gates and holds

    def approve(
        self,
        run: RunRef,
        *,
        by: By,
        node: Approval[F] | str | None = None,
        form: F | Mapping[str, object] | None = None,
        note: str | None = None,
        metadata: Mapping[str, object] | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        Say yes at an approval; its node is needed when several are open.

        Raises:
            RunNotFound: There is no such run.
            Refused: No such gate is open (`invalid_transition`, with who answered it
                and when), it is of another kind (`unsupported_manual_step`), several
                fit (`ambiguous_gate`), the run undoes its steps (`compensating`), or
                what was said is wrong (`invalid_review`); nothing was written.
            PayloadError: `invalid_form`: the form does not fit its contract.
            IdempotencyConflict: The key belongs to another approval.
        """
        options = _options(by, note, metadata, key, now)
        return self._review("approved", run, node, form, options)

    def reject(
        self,
        run: RunRef,
        *,
        by: By,
        node: Approval[F] | str | None = None,
        form: F | Mapping[str, object] | None = None,
        note: str | None = None,
        metadata: Mapping[str, object] | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Run:
        """
        Say no at an approval; the run goes where `on_reject` leads.

        Raises:
            SquidmeshError: As for `approve`.
        """
        options = _options(by, note, metadata, key, now)
        return self._review("rejected", run, node, form, options)

    def pause(self, run: RunRef, **options: Unpack[CommandOptions]) -> Run:
        """
        Hold a whole run: what is claimed settles, nothing else is claimed until `resume`.

        Raises:
            RunNotFound: There is no such run.
            Refused: It is held already, over, or undoing its steps.
            IdempotencyConflict: The key belongs to another pause.
            ConfigError: An option is wrong.
        """
        return self._operate(requests.pause(run_id_of(run), said("pause", options)), options)

    def resume(
        self, run: RunRef, *, node: Pause | str | None = None, **options: Unpack[CommandOptions]
    ) -> Run:
        """
        Lift the hold; without one, say go on at a pause node.

        Raises:
            RunNotFound: There is no such run.
            Refused: As for `approve`, or `invalid_resume`.
            IdempotencyConflict: The key belongs to another resume.
        """
        asked = requests.resume(run_id_of(run), said("resume", options), node=_named(node))
        return self._operate(asked, options)

    # -- ends

    def cancel(
        self,
        run: RunRef,
        *,
        compensate: bool = False,
        abandon: bool = False,
        **options: Unpack[CommandOptions],
    ) -> Run:
        """
        End a run where it is.  A step that runs is not stopped; its result is refused.

        Args:
            run: The run.
            compensate: Undo what was done first.
            abandon: Of a run that undoes its steps already: stop that; what is left
                is listed in its end.
            options: See `CommandOptions`.

        Raises:
            RunNotFound: There is no such run.
            Refused: It is over already, or undoes its steps (`compensating`).
            IdempotencyConflict: The key belongs to another cancel.
            ConfigError: An option is wrong.
        """
        checks.flag("compensate", compensate)
        checks.flag("abandon", abandon)
        if compensate and abandon:
            raise checks.wrong("abandon", "compensate and abandon ask for the opposite")
        asked = requests.cancel(
            run_id_of(run), said("cancel", options), compensate=compensate, abandon=abandon
        )
        return self._operate(asked, options)

    # -- messages

    def send(
        self,
        run: RunRef,
        node: Receive[M] | str,
        payload: M | Mapping[str, object],
        **options: Unpack[CommandOptions],
    ) -> Run:
        """
        Hand a message in: for the visit that waits for it, or for one to come.

        Raises:
            RunNotFound: There is no such run.
            Refused: The node receives none (`not_awaited`), has taken all it can
                (`already_received`), or the run is over or undoes its steps.
            PayloadError: `invalid_message`: it does not fit its contract.
            IdempotencyConflict: The key belongs to another message.
            ConfigError: An option is wrong.
        """
        message = message_of(node, payload)
        who = said("send", options)
        asked = requests.send(run_id_of(run), who, node=_named(node) or "", payload=message)
        return self._operate(asked, options)

    def deliver(
        self,
        node: Receive[M],
        correlation: str,
        payload: M | Mapping[str, object],
        **options: Unpack[CommandOptions],
    ) -> Run:
        """
        Hand a message to the one run that waits, or will wait, under a correlation.

        Raises:
            Refused: No run does (`not_awaited`), several do
                (`ambiguous_correlation`), or it came before (`already_received`).
            PayloadError: `invalid_message`: it does not fit its contract.
            IdempotencyConflict: The key belongs to another message.
            ConfigError: An option is wrong.
        """
        who = said("send", options)
        checks.text("correlation", correlation, longest=checks.LONGEST_NOTE)
        found = deliver(self.engine.door, node, correlation, key=who.key)
        asked = requests.send(found, who, node=node.name, payload=message_of(node, payload))
        return self._operate(asked, options)

    # -- runs made of finished runs

    @overload
    def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: requests.DefinitionChoice = "source",
        simulate: Literal[False] = False,
        **options: Unpack[CommandOptions],
    ) -> Run: ...
    @overload
    def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: requests.DefinitionChoice = "source",
        simulate: Literal[True],
        **options: Unpack[CommandOptions],
    ) -> ReplayPlan: ...
    def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: requests.DefinitionChoice = "source",
        simulate: bool = False,
        **options: Unpack[CommandOptions],
    ) -> Run | ReplayPlan:
        """
        Do again, in a new run, what a finished one did.

        Args:
            run: The finished run; nothing of it changes.
            from_step: Begin here, with the results that were applied before.
            allow_irreversible: Repeat steps that cannot be undone; only `True` counts.
            definition: `source`: the definition that the run kept; `current`: the
                one registered now.
            simulate: Say what would run and be repeated, and write nothing.
            options: See `CommandOptions`.

        Raises:
            RunNotFound: There is no such run.
            Refused: `invalid_replay_source`: it is not over, or cannot be replayed so.
            UnsafeReplay: It would repeat what cannot be undone; `details["steps"]`.
            IdempotencyConflict: The key belongs to another replay.
            ConfigError: An option is wrong.
        """
        if definition not in {"source", "current"}:
            raise checks.wrong("definition", "expected source or current")
        checks.flag("simulate", simulate)
        step = _named(from_step)
        ask = ReplayRequest(
            run_id=run_id_of(run),
            from_step=None if step is None else NodeName(step),
            allow_irreversible=allow_irreversible is True,
            definition=definition,
            said=said("replay", options),
        )
        if simulate:
            return replaying.planned(self.engine.door, ask, self.workflows)
        now = checks.instant("now", options.get("now"))
        return answered(replaying.replayed(self.engine.door, ask, self.workflows, now))

    def retry_compensation(self, run: RunRef, **options: Unpack[CommandOptions]) -> Run:
        """
        Undo, in a new run, what an ended one has left, with the idempotency keys it used.

        Asked again, the run that is there is returned.

        Raises:
            RunNotFound: There is no such run.
            Refused: It is not over, or has left nothing that can be undone.
            ConfigError: An option is wrong.
        """
        ask = RetryRequest(run_id=run_id_of(run), said=said("retry_compensation", options))
        now = checks.instant("now", options.get("now"))
        return answered(replaying.recompensated(self.engine.door, ask, now))

    # -- commands as data

    def apply_signal(self, signal: Signal | Mapping[str, object]) -> Run:
        """
        Carry out a command that came as data, as its named verb would.

        Raises:
            PayloadError: `invalid_signal`, `unsupported_signal`: it is none.
            SquidmeshError: What the verb raises.
        """
        if isinstance(signal, Mapping):
            signal = signal_from_json(signal)
        elif not isinstance(signal, Signal):
            raise PayloadError(
                f"expected a signal, not {type(signal).__name__}; nothing was written",
                "invalid_signal",
                {"field": "signal", "reason": "expected_signal"},
            )
        asked = command_of(signal)
        match asked:
            case Operation():
                return self._operate(asked, {})
            case StartRequest():
                return self._start(asked)
            case ReplayRequest():
                return answered(replaying.replayed(self.engine.door, asked, self.workflows, None))
            case RetryRequest():
                return answered(replaying.recompensated(self.engine.door, asked, None))

    # -- how

    def _review(
        self,
        decision: Literal["approved", "rejected"],
        run: RunRef,
        node: Approval[Any] | str | None,
        form: object,
        options: CommandOptions,
    ) -> Run:
        who = said("approve" if decision == "approved" else "reject", options)
        filled = cast("Mapping[str, object] | None", form_of(node, form))
        asked = requests.review(run_id_of(run), who, decision, node=_named(node), form=filled)
        return self._operate(asked, options)

    def _operate(self, asked: Operation, options: CommandOptions) -> Run:
        now = checks.instant("now", options.get("now"))
        return answered(self.engine.door.handle(asked.run_id, asked.command, now=now))

    def _start(self, asked: StartRequest) -> Run:
        spec = self.workflows.get(asked.workflow)
        if spec is None:
            raise ConfigError(
                f"{asked.workflow!r} is not registered with this mesh; nothing was written",
                "unknown_workflow",
                {"option": "workflow", "reason": asked.workflow},
            )
        names = [trigger.name for trigger in spec.triggers]
        if asked.trigger is None and len(names) != 1:
            raise PayloadError(
                f"{asked.workflow} has several triggers ({', '.join(names)}); name one",
                "invalid_signal",
                {"field": "trigger", "reason": "required"},
            )
        trigger = asked.trigger or names[0]
        request = starting.prepare(self.engine.door, spec, trigger, asked.input, {}, who=asked.said)
        return answered(self.engine.start(request))


def _named(node: BaseNode | str | None) -> str | None:
    """What a command calls a node; null: it names none."""
    if node is None or isinstance(node, BaseNode):
        return None if node is None else node.name
    return checks.text("node", node)


def _options(
    by: By,
    note: str | None,
    metadata: Mapping[str, object] | None,
    key: str | None,
    now: datetime | None,
) -> CommandOptions:
    return {"by": by, "note": note, "metadata": metadata, "key": key, "now": now}
