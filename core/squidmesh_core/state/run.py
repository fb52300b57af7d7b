"""The state of one run: the fold of its journal, as an immutable value."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import Factory, frozen

from squidmesh_core.ids import (
    BEGINNING,
    AttemptKey,
    NodeName,
    Revision,
    RunId,
    VisitKey,
)
from squidmesh_core.protocol.entries import (
    Failure,
    RunPruned,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.attempt import Attempt
from squidmesh_core.state.gates import Gates
from squidmesh_core.state.mail import Mail
from squidmesh_core.state.saga import Saga

#: What a command of a person or a system leaves behind; few per run, so all are kept.
Receipt = RunSignalReceived


@frozen(kw_only=True)
class Anomaly:
    """An entry that does not fit the state it met; kept, shown, never fatal."""

    reason: str
    #: Wire-free name of the entry's class.
    entry_type: str
    revision: Revision
    #: Keys that the entry named: attempt, visit, step.
    keys: Mapping[str, str] = Factory(dict)


@quick
@frozen(kw_only=True)
class RunState:
    """Everything that one journal says, as far as it was read."""

    run_id: RunId
    #: The last entry that was taken in.
    revision: Revision = BEGINNING
    #: That entry's instant; decisions are never made before it.
    at: datetime | None = None
    started: RunStarted | None = None
    #: Payload and outputs so far; a later result wins.
    context: Mapping[str, object] = Factory(dict)
    #: Attempts that are not settled, by key, in the order they came up.
    live: Mapping[AttemptKey, Attempt] = Factory(dict)
    #: Attempts that ended: completed, failed, withdrawn.
    settled: Mapping[AttemptKey, Attempt] = Factory(dict)
    #: Time-outs that may strike; claimable like attempts, but never live.
    timers: Mapping[AttemptKey, Attempt] = Factory(dict)
    #: How often each node was entered.
    visits: Mapping[NodeName, int] = Factory(dict)
    #: Visits whose result the run took in, in the order it did.
    applied: Mapping[VisitKey, StepApplied] = Factory(dict)
    #: How many visits of each node are applied.
    done: Mapping[NodeName, int] = Factory(dict)
    #: Targets of routes that were taken and are not entered yet, in order.
    owed: tuple[NodeName, ...] = ()
    #: Outputs that are recorded and not yet taken in, by the revision that holds them.
    unapplied: Mapping[Revision, object] = Factory(dict)
    #: Last failure of a visit, for error routes and for the run's end.
    failures: Mapping[VisitKey, Failure] = Factory(dict)
    gates: Gates = Factory(Gates)
    mail: Mail = Factory(Mail)
    saga: Saga = Factory(Saga)
    receipts: tuple[Receipt, ...] = ()
    terminal: RunTerminal | None = None
    #: Set when only a tombstone is left; `started`, `terminal` and the receipt say what it
    #: says, and everything else of the run is gone.
    pruned: RunPruned | None = None
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def status(self) -> RunStatus:
        """The run's status, first that fits (specs/protocol.md §2)."""
        if self.terminal is not None:
            return self.terminal.status
        if self.saga.started is not None:
            return "compensating"
        if self.gates.waiting:
            return "paused"
        if self.live:
            return "running"
        return "idle" if self.mail.awaited or self.applied else "started"

    @property
    def undoing(self) -> bool:
        """Whether nothing goes forward any more, and the end is not reached."""
        return self.saga.started is not None and self.terminal is None

    @property
    def attempts(self) -> dict[AttemptKey, Attempt]:
        """All attempts by key: the settled ones, the live ones, the time-outs."""
        return {**self.settled, **self.live, **self.timers}

    def attempt(self, key: AttemptKey) -> Attempt | None:
        """The attempt or time-out of this key, ended or not."""
        return self.live.get(key) or self.settled.get(key) or self.timers.get(key)

    def receipt(self, command: str, key: str) -> Receipt | None:
        """The first receipt of a command under an idempotency key."""
        for receipt in self.receipts:
            if receipt.command == command and receipt.idempotency_key == key:
                return receipt
        return None


#: The version of this record's stored form: a checkpoint of another is not used.
STATE_VERSION: Final = 4
