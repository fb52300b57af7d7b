"""The machine of transactional steps: their writes and their completion stand or fall together."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from squidmesh import Fail, Mesh, Retry, TxContext
from squidmesh.ports import Ports, Site
from squidmesh.workers import calling as calling_module
from squidmesh.workers import transactional
from squidmesh.workers.carry import carry
from squidmesh.workers.perform import Performed, Settled, perform
from squidmesh_core.errors import OutcomeUnknown
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.entries import AttemptCompleted
from squidmesh_storage.sqlite import SqliteJournal, joined
from support.books import LEASE, Books
from support.hosts import file_of
from support.ledger import ACTS, Ledger, Patient, Posting
from support.planted import Plant, assert_machine_catches
from support.stage import entries

Fate = Literal["returns", "fails", "retries", "oversleeps", "is cancelled"]
fates = st.sampled_from(["returns", "fails", "retries", "oversleeps", "is cancelled"])
#: Where a process dies on its way through one step.
SITES: Final[tuple[Site, ...]] = (
    "perform.before", "perform.after", "settle.before", "append.before", "append.after",
    "settle.after",
)  # fmt: skip
workflows = st.sampled_from([Ledger, Patient])


class Died(BaseException):
    """The process is gone."""


class WritesAndCompletionsStandOrFallTogether(RuleBasedStateMachine):
    """Steps write, fail, are late, are told to stop, and their process dies on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{self.folder.name}/books.db"
        self.books = Books(url, lambda clock: SqliteJournal(file_of(url), clock=clock))
        self.fate: Fate = "returns"
        self.dies_at: Site | None = None
        ACTS["as told"] = self.as_told
        self.mesh = self.process()
        self.started = 0

    def teardown(self) -> None:
        self.mesh.close()
        self.books.close()
        self.folder.cleanup()

    # -- what can happen --

    @rule(by=workflows)
    def somebody_starts(self, by: type[Ledger | Patient]) -> None:
        self.started += 1
        self.mesh.start(by.due, Posting(f"A-{self.started}", "as told"), key=f"{self.started}")

    @rule(fate=fates)
    def a_step_is_performed(self, fate: Fate) -> None:
        self.fate = fate
        self.performs(fate)

    @rule(fate=fates, site=st.sampled_from(SITES))
    def the_process_dies(self, fate: Fate, site: Site) -> None:
        self.fate, self.dies_at = fate, site
        with suppress(Died):
            self.performs(f"{fate}, dies at {site}")
        self.dies_at = None
        self.mesh.close()
        self.mesh = self.process()

    @rule(durable=st.booleans())
    def nobody_hears_of_the_commit(self, durable: bool) -> None:
        self.fate = "returns"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(joined, "_commit", self.unheard(joined._commit, durable=durable))
            with suppress(OutcomeUnknown):
                self.performs(f"unheard, durable={durable}")

    @rule()
    def leases_run_out(self) -> None:
        self.books.clock.advance(LEASE)

    # -- what must always hold --

    @invariant()
    def a_line_is_there_for_each_completion_and_no_other(self) -> None:
        completed = sorted(
            str(self.mesh.inspect(run).input["line"])
            for run in self.books.journal.run_ids(None, 1_000)
            if self.has_completed(run)
        )
        lines = self.books.lines()
        assert completed == sorted(lines), (completed, lines)

    # -- helpers --

    def process(self) -> Mesh:
        """A process that knows nothing yet."""
        return self.books.mesh(Ports(site=self.at))

    def at(self, site: Site) -> None:
        if site == self.dies_at:
            self.dies_at = None
            raise Died(site)

    def performs(self, what: str) -> None:
        crew = self.mesh.engine.crew(("default",), "60s", heartbeat=False)
        taken = self.mesh.engine.take(crew, 1)
        for claim in taken.claims:
            event(f"{claim.node}: {what}")
            carry(crew, claim, lambda: True)

    def as_told(self, tx: TxContext) -> object:
        """What the step does once it has written."""
        match self.fate:
            case "returns":
                return "E-1"
            case "fails":
                return Fail("no")
            case "retries":
                return Retry("busy")
            case "oversleeps":
                self.books.clock.advance(LEASE)
                return "late"
            case "is cancelled":
                self.mesh.using(tx.connection).cancel(tx.run_id)
                return "cancelled"

    def has_completed(self, run: RunId) -> bool:
        return any(
            isinstance(entry, AttemptCompleted) and entry.attempt_key.startswith(f"{run}:post:")
            for entry in entries(self.books.journal, run)
        )

    def unheard(self, honest: Callable[..., None], *, durable: bool) -> Callable[..., None]:
        def commit(connection: object, path: Path) -> None:
            if durable:
                honest(connection, path)
            raise OutcomeUnknown("the line broke", "outcome_unknown", {})

        return commit


def test_writes_and_completions_stand_or_fall_together() -> None:
    """On honest code the machine finds nothing."""
    run_state_machine_as_test(
        WritesAndCompletionsStandOrFallTogether,
        settings=settings(max_examples=15, stateful_step_count=20, deadline=None),
    )


# -- planted


def committed_before_settled(patch: pytest.MonkeyPatch) -> None:
    """The step's transaction is committed, and then its completion is appended."""

    def perform_apart(call: calling_module.Call) -> Performed:
        with call.crew.door.journal.lend() as lent, call.attended(alone=True):
            return perform(
                call.action, call.claim, lambda: call.context(lent.connection), lambda _: None
            )

    patch.setattr(calling_module, "perform_in_transaction", perform_apart)


def refusal_forgiven(patch: pytest.MonkeyPatch) -> None:
    """A refused completion leaves the writes where they are."""

    class Forgiving(transactional._Settlement):
        def make(self, joined: object, outcome: object) -> None:
            with suppress(transactional._RolledBackError):
                super().make(joined, outcome)  # type: ignore[arg-type]  # as it was called

    patch.setattr(transactional, "_Settlement", Forgiving)


def unknown_taken_for_failure(patch: pytest.MonkeyPatch) -> None:
    """What was not heard of is performed again at once."""
    honest = transactional.perform_in_transaction

    def again(call: calling_module.Call) -> Performed:
        patch.setattr(transactional._Settlement, "is_durable", lambda _self: False)
        try:
            return honest(call)
        except OutcomeUnknown:
            with call.crew.door.journal.lend() as lent:
                call.action.fn(call.context(lent.connection), **call.claim.input)
            return Settled()

    patch.setattr(calling_module, "perform_in_transaction", again)


@pytest.mark.parametrize(
    "plant", [committed_before_settled, refusal_forgiven, unknown_taken_for_failure]
)
def test_transaction_machine_catches(plant: Plant) -> None:
    """Each is a way to write without completing, or the other way about."""
    assert_machine_catches(WritesAndCompletionsStandOrFallTogether, plant)
