"""
`Steering`: the verbs with which people and systems steer runs; `Mesh` has them all.

Each is a few lines: what was said is checked, the command becomes a value, and
the door carries it out.  The same commands travel as data (`squidmesh.signals`).

What a verb needs is imported when it is called (see `squidmesh.mesh`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, overload

from squidmesh import checks
from squidmesh.steering.many import SteeringMany

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Literal, Unpack

    from squidmesh.authoring.gates import Approval, Pause, Receive
    from squidmesh.authoring.nodes import BaseNode
    from squidmesh.people import By, CommandOptions
    from squidmesh.steering.asking import Asked
    from squidmesh.views.snapshot import RunRef
    from squidmesh_core.decide.replay import ReplayPlan
    from squidmesh_core.protocol.requests import DefinitionChoice, StartRequest
    from squidmesh_core.protocol.signals import Signal
    from squidmesh_core.views.inspection import Run

F = TypeVar("F")
M = TypeVar("M")


class Steering(SteeringMany):
    """The verbs that decide about a run that is there."""

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
            ConfigError: Another option is wrong.
        """
        from squidmesh.steering import asking

        options = asking.options_of(by, note, metadata, key, now)
        return self._carry_out(asking.review("approved", run, node, form, options))

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
        from squidmesh.steering import asking

        options = asking.options_of(by, note, metadata, key, now)
        return self._carry_out(asking.review("rejected", run, node, form, options))

    def pause(self, run: RunRef, **options: Unpack[CommandOptions]) -> Run:
        """
        Hold a whole run: what is claimed settles, nothing else is claimed until `resume`.

        Raises:
            RunNotFound: There is no such run.
            Refused: It is held already, over, or undoing its steps.
            IdempotencyConflict: The key belongs to another pause.
            ConfigError: An option is wrong.
        """
        from squidmesh.steering import asking

        return self._carry_out(asking.pause(run, options))

    def resume(
        self, run: RunRef, *, node: Pause | str | None = None, **options: Unpack[CommandOptions]
    ) -> Run:
        """
        Lift the hold; without one, say go on at a pause node.

        Raises:
            RunNotFound: There is no such run.
            Refused: As for `approve`, or `invalid_resume`.
            IdempotencyConflict: The key belongs to another resume.
            ConfigError: Another option is wrong.
        """
        from squidmesh.steering import asking

        return self._carry_out(asking.resume(run, node, options))

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
        from squidmesh.steering import asking

        asked = asking.cancel(run, options, compensate=compensate, abandon=abandon)
        return self._carry_out(asked)

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
            Refused: The node receives none, or waited in vain (`not_awaited`), has taken
                all it can (`already_received`), or the run is over or undoes its steps.
            PayloadError: `invalid_message`: it does not fit its contract.
            IdempotencyConflict: The key belongs to another message.
            ConfigError: An option is wrong.
        """
        from squidmesh.steering import asking

        return self._carry_out(asking.send(run, node, payload, options))

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
            StorageError: The storage failed, or a run of this correlation that may have
                the message cannot be read; nobody was given it.
        """
        from squidmesh.steering import asking
        from squidmesh.steering.delivering import deliver

        key = asking.correlation_key(correlation, options)
        found = deliver(self.engine.door, node, correlation, key=key)
        return self.send(found, node, payload, **options)

    # -- runs made of finished runs

    @overload
    def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
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
        definition: DefinitionChoice = "source",
        simulate: Literal[True],
        **options: Unpack[CommandOptions],
    ) -> ReplayPlan: ...
    def replay(
        self,
        run: RunRef,
        *,
        from_step: BaseNode | str | None = None,
        allow_irreversible: bool = False,
        definition: DefinitionChoice = "source",
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
        from squidmesh.door.outcomes import answered
        from squidmesh.steering import asking, replaying

        checks.flag("simulate", simulate)
        ask = asking.replay(
            run,
            options,
            from_step=from_step,
            allow_irreversible=allow_irreversible,
            definition=definition,
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
        from squidmesh.door.outcomes import answered
        from squidmesh.steering import asking, replaying

        ask = asking.retry_compensation(run, options)
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
        from squidmesh.door.outcomes import answered
        from squidmesh.steering import asking, replaying
        from squidmesh_core.protocol.requests import (
            Operation,
            ReplayRequest,
            RetryRequest,
            StartRequest,
        )

        asked = asking.signalled(signal)
        match asked:
            case Operation():
                return self._carry_out(asking.operation(asked, {}))
            case StartRequest():
                return self._start(asked)
            case ReplayRequest():
                return answered(replaying.replayed(self.engine.door, asked, self.workflows, None))
            case RetryRequest():
                return answered(replaying.recompensated(self.engine.door, asked, None))

    # -- how

    def _carry_out(self, asked: Asked) -> Run:
        from squidmesh.door.outcomes import answered

        return answered(self.engine.door.handle(asked.run_id, asked.command, now=asked.now))

    def _start(self, asked: StartRequest) -> Run:
        from squidmesh import starting
        from squidmesh.door.outcomes import answered
        from squidmesh.steering import asking

        spec, trigger = asking.start_in(asked, self.workflows)
        request = starting.prepare(self.engine.door, spec, trigger, asked.input, {}, who=asked.said)
        return answered(self.engine.start(request))
