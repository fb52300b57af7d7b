"""Start: one append makes the run and its first attempts, and it is made once."""

from attrs import evolve

from squidmesh_core.ids import Revision
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    AttemptCompleted,
    AttemptScheduled,
    RunSignalReceived,
    RunStarted,
    RunTerminal,
    StepApplied,
)
from squidmesh_core.values import FromPath
from support.scenario import EPOCH, LEASE, SECOND, Scenario, a_start
from support.workflows import chain, log, step, wait, workflow

CHARGE = chain(step("charge"), step("ship"))


def test_start_is_receipt_then_run_then_attempt() -> None:
    """The receipt comes before its effect, and all of it is one append."""
    decision = Scenario(CHARGE).start()

    assert [RunSignalReceived, RunStarted, AttemptScheduled] == [type(e) for e in decision.entries]


def test_receipt_keeps_what_was_said() -> None:
    """Who started, why and with which words of their own is in the journal; the payload is not twice."""
    said = Receipted(actor={"user": 7}, comment="by phone", metadata={"desk": 3}, key="k")
    run = Scenario(CHARGE)
    run.decides(evolve(a_start({"amount": 5}), said=said))

    assert run.journal[0] == RunSignalReceived(
        at=EPOCH,
        revision=Revision(1),
        command="start",
        actor={"user": 7},
        comment="by phone",
        metadata={"desk": 3},
        idempotency_key="k",
        digest="as ordered",
    )


def test_run_keeps_its_definition_and_payload() -> None:
    """A run names the definition it began with, and the payload with its defaults."""
    run = Scenario(CHARGE)
    command = evolve(a_start({"amount": 5}), tags=("vip",), partition_key="tenant-1")
    run.decides(command)
    [begun] = run.entries(RunStarted)

    assert (command.definition, "v1", "orders", "placed") == (
        begun.definition,
        begun.definition_version,
        begun.workflow,
        begun.trigger,
    )
    assert ({"amount": 5}, ("vip",), "tenant-1") == (begun.input, begun.tags, begun.partition_key)


def test_offer_claims_the_first_attempt() -> None:
    """A worker that starts a run with a free slot holds its first step in the same append."""
    run = Scenario(CHARGE)
    offer = run.offer()
    run.start(offer=offer)

    assert "claimed" == run.attempt("charge").status
    assert EPOCH + LEASE == run.attempt("charge").lease_until
    run.complete(run.held(offer))


def test_offer_claims_only_what_the_worker_can_perform() -> None:
    """Another action or another queue stays for somebody else."""
    cannot, elsewhere = Scenario(CHARGE), Scenario(CHARGE)
    cannot.start(offer=cannot.offer(actions=frozenset({"do.ship"})))
    elsewhere.start(offer=elsewhere.offer(queues=frozenset({"mail"})))

    assert ["available", "available"] == [
        run.attempt("charge").status for run in (cannot, elsewhere)
    ]


def test_offer_takes_only_a_log_on_the_way_where_a_limit_has_to_be_asked() -> None:
    """Work without an action needs no slot of its queue; the step after it does."""
    run = Scenario(chain(log("note"), step("charge")))
    run.start(offer=evolve(run.offer(), limited=frozenset({"default"})))

    assert ["completed", "available"] == [run.attempt(name).status for name in ("note", "charge")]


def test_offer_takes_a_log_on_the_way() -> None:
    """Work that needs nobody is done in the append, and the worker gets the step after it."""
    run = Scenario(chain(log("note"), step("charge")))
    decision = run.start(offer=run.offer())

    assert [
        RunSignalReceived,
        RunStarted,
        AttemptScheduled,
        AttemptClaimed,
        AttemptCompleted,
        StepApplied,
        AttemptScheduled,
        AttemptClaimed,
    ] == [type(entry) for entry in decision.entries]
    assert ["charge"] == run.steps


def test_run_of_logs_ends_where_it_starts() -> None:
    """With an offer, a run that needs nobody is over in its first append."""
    run = Scenario(chain(log("one"), log("two")))
    run.start(offer=run.offer())

    assert "completed" == run.state.status
    assert isinstance(run.journal[-1], RunTerminal)


def test_each_claim_has_an_id_and_a_token_of_its_own() -> None:
    """Claims that the runtime makes and ends at once never share an id or a token."""
    run = Scenario(chain(log("one"), log("two"), step("charge")))
    run.start(offer=run.offer())
    claims = run.entries(AttemptClaimed)

    assert 3 == len({claim.claim_id for claim in claims})
    assert 3 == len({claim.claim_token_hash for claim in claims})
    assert {64} == {len(claim.claim_token_hash) for claim in claims}


def test_all_independent_steps_are_scheduled_at_start() -> None:
    """Every root is there at once, in the order written."""
    run = Scenario(workflow(step("b"), step("a"), step("end", after=("a", "b"))))
    run.start()

    assert ["b", "a"] == run.steps


def test_delayed_start_is_visible_later() -> None:
    """The run exists now, and nobody can claim it before its instant."""
    run = Scenario(CHARGE)
    run.start(visible_at=EPOCH + SECOND, offer=run.offer())

    assert ("available", EPOCH + SECOND) == (
        run.attempt("charge").status,
        run.attempt("charge").intent.visible_at,
    )


def test_instant_of_the_past_is_now() -> None:
    """A start that should have been earlier is visible at once, not before it was written."""
    run = Scenario(CHARGE)
    run.start(visible_at=EPOCH - SECOND)

    assert EPOCH == run.attempt("charge").intent.visible_at


def test_wait_at_a_delayed_start_begins_with_the_delay() -> None:
    """A wait counts from the instant the run may begin."""
    run = Scenario(chain(wait("nap", 1_000), step("charge")))
    run.start(visible_at=EPOCH + LEASE)

    assert EPOCH + LEASE + SECOND == run.attempt("nap").intent.visible_at


def test_steps_go_to_the_run_s_lane_unless_they_name_their_own() -> None:
    """Queue and priority are the step's, else the run's; waits and logs use the run's."""
    run = Scenario(
        workflow(
            step("plain"),
            step("own", queue="mail", priority=-3),
            log("note"),
            step("end", after=("plain",)),
        )
    )
    run.start(queue="bulk", priority=7)
    lanes = {a.intent.step: (a.intent.queue, a.intent.priority) for a in run.state.live.values()}

    assert {"plain": ("bulk", 7), "own": ("mail", -3), "note": ("bulk", 7)} == lanes


def test_missing_input_of_a_first_step_is_refused() -> None:
    """A caller who forgot what a root needs gets no run; nothing is written."""
    run = Scenario(chain(step("charge", input={"total": FromPath(path=("order", "total"))})))
    refusal = run.expects_refusal(a_start({"order": {}}))

    assert "missing_input_path" == refusal.code
    assert {
        "node": "charge",
        "target": "total",
        "path": ["order", "total"],
        "missing_at": ["order", "total"],
    } == refusal.details
    assert [] == run.journal


def test_missing_input_of_a_later_step_does_not_stop_the_start() -> None:
    """What comes later may still turn up."""
    late = step("ship", input={"x": FromPath(path=("charge",))})
    run = Scenario(chain(step("charge", output="charge"), late))
    run.start()

    assert ["charge"] == run.steps


# --- the same start again


def test_same_start_finds_its_run() -> None:
    """The same key and request again is the run that is there, whatever happened since."""
    run = Scenario(CHARGE)
    run.decides(a_start(key="order-7"))
    run.perform("charge")
    run.perform("ship")
    again = run.expects_already(a_start(key="order-7"))

    assert (1, "completed") == (again.revision, again.state.status)


def test_same_run_id_finds_its_run() -> None:
    """An id that the caller chose works like a key."""
    run = Scenario(CHARGE)
    run.start()

    assert 1 == run.expects_already(a_start()).revision


def test_start_of_an_earlier_release_is_found_again() -> None:
    """Its receipt holds the digest of all that was handed in, defaults too."""
    run = Scenario(CHARGE)
    run.decides(a_start(key="order-7", digest="with defaults"))
    asked = evolve(a_start(key="order-7", digest="beyond defaults"), digest_in_full="with defaults")

    assert 1 == run.expects_already(asked).revision
    assert "idempotency_conflict" == run.expects_refusal(evolve(asked, digest_in_full="other")).code


def test_another_request_under_the_key_conflicts() -> None:
    """A key belongs to one request; the refusal names it and writes nothing."""
    run = Scenario(CHARGE)
    run.decides(a_start(key="order-7"))
    before = len(run.journal)
    refusal = run.expects_refusal(a_start(key="order-7", digest="something else"))

    assert ("idempotency_conflict", "order-7") == (refusal.code, refusal.details["key"])
    assert "order-7" in refusal.message
    assert before == len(run.journal)
