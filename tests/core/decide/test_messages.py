"""Messages: early, late and in between, each finds the visit that waits for it."""

import pytest
from attrs import evolve

from squidmesh_core.definition.spec import Default, Field, Node, Spec
from squidmesh_core.ids import NodeName, visit_key
from squidmesh_core.protocol.entries import (
    AttemptScheduled,
    MessageAwaited,
    MessageReceived,
    RunSignalReceived,
    StepApplied,
)
from squidmesh_core.values import Compare, Constant, FromPath
from support.scenario import (
    EPOCH,
    RUN,
    SECOND,
    Scenario,
    a_message,
    a_start,
)
from support.workflows import chain, log, receive, route, step, workflow

FIELDS = (
    Field(name="n", type="integer"),
    Field(name="at", type="string", required=False, default=Default(clock="now")),
)
NUMBER = FIELDS[:1]


def begun(*nodes: Node) -> Scenario:
    run = Scenario(chain(*nodes))
    run.start()
    return run


def numbers_taken(run: Scenario) -> list[object]:
    """What each visit of `parcel` took, in order."""
    payloads = {entry.revision: entry.payload for entry in run.entries(MessageReceived)}
    return [payloads[e.source] for e in run.entries(StepApplied) if e.source in payloads]


# --- waiting


def test_node_waits_in_the_append_that_reaches_it() -> None:
    """No attempt, no worker; the run is idle."""
    run = Scenario(chain(step("pick"), receive("parcel")))
    run.start()
    run.time_passes(SECOND)
    decision = run.perform("pick")

    assert decision.entries[-1] == MessageAwaited(
        at=EPOCH + SECOND,
        revision=run.state.revision,
        visit_key=visit_key(RUN, NodeName("parcel")),
        step=NodeName("parcel"),
    )
    assert ("idle", []) == (run.state.status, run.steps)


def test_message_is_one_append() -> None:
    """Receipt, message, consequence, and what follows."""
    run = begun(receive("parcel", message=FIELDS, output="parcel"), step("ship"))
    run.time_passes(SECOND)
    receipt, message, applied, scheduled = run.send(
        "parcel", {"n": 1}, actor="dhl", key="k"
    ).entries

    assert isinstance(receipt, RunSignalReceived)
    assert isinstance(message, MessageReceived)
    assert isinstance(applied, StepApplied)
    assert isinstance(scheduled, AttemptScheduled)
    assert ("send", {"node": "parcel"}, "dhl", "k") == (
        receipt.command,
        receipt.payload,
        receipt.actor,
        receipt.idempotency_key,
    )
    assert ("parcel", {"n": 1, "at": "2026-01-01T00:00:01Z"}) == (message.step, message.payload)
    assert (message.revision, "parcel") == (applied.source, applied.output)
    assert {"parcel": message.payload} == run.attempt("ship").input


def test_route_may_look_at_the_message() -> None:
    """Conditions out of a receive node see what just came."""
    for n, successor in ((1, "ship"), (2, "store")):
        run = Scenario(
            workflow(
                receive("parcel", message=NUMBER, output="parcel"),
                step("ship"),
                step("store"),
                routes=(
                    route(
                        "parcel",
                        "ship",
                        when=Compare(path=("parcel", "n"), operator="equals", operand=1),
                    ),
                    route("parcel", "store"),
                ),
            )
        )
        run.start()
        run.send("parcel", {"n": n})

        assert [successor] == run.steps


def test_message_without_a_way_on_fails_the_run() -> None:
    """What came is taken in all the same."""
    never = Compare(path=("parcel", "n"), operator="equals", operand=1)
    run = Scenario(
        workflow(
            receive("parcel", message=NUMBER, output="parcel"),
            step("ship"),
            routes=(route("parcel", "ship", when=never),),
        )
    )
    run.start()
    run.send("parcel", {"n": 2})
    terminal = run.state.terminal

    assert terminal is not None
    assert terminal.error is not None
    assert ("no_matching_transition", "parcel") == (terminal.error.kind, terminal.step)
    assert {"parcel": {"n": 2}} == run.state.context


# --- early and late


def test_early_message_is_kept() -> None:
    """It is written, and waits for its node."""
    run = begun(step("pick"), receive("parcel", message=NUMBER, output="parcel"), step("ship"))
    decision = run.send("parcel", {"n": 1})

    assert [RunSignalReceived, MessageReceived] == [type(entry) for entry in decision.entries]
    assert ["parcel"] == list(run.state.mail.kept.values())
    assert "running" == run.state.status


def test_kept_message_is_taken_by_the_append_that_enters_the_node() -> None:
    """The wait is over as it begins; no timer is left for it."""
    run = begun(
        step("pick"),
        receive("parcel", message=NUMBER, output="parcel", timeout_ms=1_000),
        step("ship"),
    )
    run.send("parcel", {"n": 1})
    [message] = run.entries(MessageReceived)
    awaited, applied, _ = run.perform("pick").entries[-3:]

    assert isinstance(awaited, MessageAwaited)
    assert isinstance(applied, StepApplied)
    assert message.revision == applied.source
    assert ({}, {}, {}) == (run.state.mail.kept, run.state.mail.awaited, run.state.timers)
    assert ["ship"] == run.steps


def test_early_message_does_not_hold_up_the_end() -> None:
    """A run may end with a message that nobody took."""
    run = Scenario(
        workflow(
            step("pick"),
            receive("parcel"),
            routes=(route("pick", "complete"), route("pick", "parcel", on="error")),
        )
    )
    run.start()
    run.send("parcel")
    run.perform("pick")

    assert ("completed", 1) == (run.state.status, len(run.state.mail.kept))


def loop() -> Scenario:
    """Receives three times, packs in between."""
    run = Scenario(
        workflow(
            receive("parcel", message=NUMBER, output="parcel", max_visits=3),
            step("pack"),
            routes=(route("parcel", "pack"), route("pack", "parcel")),
        )
    )
    run.start()
    return run


def test_kept_messages_are_taken_oldest_first() -> None:
    """One for each visit, in the order they came."""
    run = loop()
    for n in (1, 2, 3):
        run.send("parcel", {"n": n})
    run.perform("pack")
    run.perform("pack")

    assert [{"n": 1}, {"n": 2}, {"n": 3}] == numbers_taken(run)


def test_oldest_visit_is_served_first() -> None:
    """Two strands wait at one node."""
    spec = workflow(
        log("a"),
        log("b"),
        receive("parcel", message=NUMBER, max_visits=2),
        step("pack"),
        routes=(route("a", "parcel"), route("b", "parcel"), route("parcel", "pack")),
    )
    run = Scenario(evolve(spec, entry_steps=(NodeName("a"), NodeName("b"))))
    run.start(offer=run.offer())
    run.send("parcel", {"n": 1})
    run.send("parcel", {"n": 2})

    assert [f"{RUN}:parcel", f"{RUN}:parcel@2"] == [
        e.visit_key for e in run.entries(StepApplied) if e.step == "parcel"
    ]


def test_kept_messages_pass_a_loop_in_one_append() -> None:
    """A node that leads to itself takes all that is there."""
    run = Scenario(
        workflow(
            step("pick"),
            receive("parcel", message=NUMBER, max_visits=3),
            routes=(route("pick", "parcel"), route("parcel", "parcel")),
        )
    )
    run.start()
    for n in (1, 2):
        run.send("parcel", {"n": n})
    run.perform("pick")

    assert [{"n": 1}, {"n": 2}] == numbers_taken(run)
    assert [f"{RUN}:parcel@3"] == list(run.state.mail.awaited)


# --- too many


def test_message_beyond_the_last_visit_is_refused() -> None:
    """Waiting, kept and taken ones are counted against the visits there can be."""
    run = loop()
    for n in (1, 2, 3):
        run.send("parcel", {"n": n})
    states = len(run.states)
    refusal = run.expects_refusal(a_message("parcel", {"n": 4}))

    assert ("already_received", "parcel") == (refusal.code, refusal.details["node"])
    assert states == len(run.states)


@pytest.mark.parametrize(
    "spec",
    [
        chain(receive("parcel"), step("ship")),
        workflow(receive("parcel"), step("ship", after=("parcel",))),
    ],
    ids=["by routes", "by dependencies"],
)
def test_node_that_is_entered_once_takes_one_message(spec: Spec) -> None:
    """Before and after it was taken the second one has nowhere to go."""
    run = Scenario(spec)
    run.start()
    run.send("parcel")

    assert "already_received" == run.expects_refusal(a_message("parcel")).code


def test_second_early_message_is_refused_too() -> None:
    """The first will be taken when the node is reached."""
    run = begun(step("pick"), receive("parcel"), step("ship"))
    run.send("parcel")

    assert "already_received" == run.expects_refusal(a_message("parcel")).code


def test_message_for_a_visit_that_went_without_is_not_taken_for_received() -> None:
    """The sender of what came too late must learn it, also where other visits had theirs."""
    run = Scenario(
        workflow(
            receive("parcel", message=NUMBER, timeout_ms=1_000, max_visits=2),
            step("pack"),
            routes=(route("parcel", "pack"), route("parcel", "parcel", on="timeout")),
        )
    )
    run.start()
    run.time_passes(SECOND)
    run.strike("parcel")
    run.send("parcel", {"n": 1})
    refusal = run.expects_refusal(a_message("parcel", {"n": 2}))

    assert ("not_awaited", "parcel") == (refusal.code, refusal.details["node"])


def test_loop_that_other_nodes_bound_takes_any_number() -> None:
    """How often it is entered cannot be known; what is too much is kept."""
    run = Scenario(
        workflow(
            receive("parcel", message=NUMBER),
            step("pack", max_visits=1),
            routes=(route("parcel", "pack"), route("pack", "parcel")),
        )
    )
    run.start()
    for n in range(5):
        run.send("parcel", {"n": n})

    assert 4 == len(run.state.mail.kept)


# --- what is no message


@pytest.mark.parametrize(
    ("payload", "details"),
    [
        ({}, {"missing_fields"}),
        ({"n": "1"}, {"invalid_types"}),
        ({"n": 1, "x": 2}, {"unknown_fields"}),
        ([1], set()),
        (None, set()),
        ("n", set()),
    ],
)
def test_message_is_checked_against_its_contract(payload: object, details: set[str]) -> None:
    """What is wrong is told, and nothing is written."""
    run = begun(receive("parcel", message=FIELDS), step("ship"))
    refusal = run.expects_refusal(evolve(a_message("parcel"), payload=payload))

    assert "invalid_message" == refusal.code
    assert {"run_id", "node", "problems", *details} == refusal.details.keys()


def test_message_of_a_newer_contract_loses_only_what_goes_without_saying() -> None:
    """Its sender's code has a field more, with a default; the run's own definition has none."""
    run = begun(receive("parcel", message=NUMBER), step("ship"))
    newer = a_message("parcel", {"n": 1, "unit": "kg"})

    refusal = run.expects_refusal(newer)
    run.decides(evolve(newer, assumed=frozenset({"n", "unit"})))

    assert ["unit"] == refusal.details["unknown_fields"]
    assert "keeps the definition it started with" in refusal.message
    assert [{"n": 1}] == numbers_taken(run)


@pytest.mark.parametrize(("node", "what"), [("ship", "receives no"), ("nowhere", "is no node")])
def test_only_receive_nodes_take_messages(node: str, what: str) -> None:
    """A step does not, nor what is not there."""
    run = begun(receive("parcel"), step("ship"))
    refusal = run.expects_refusal(a_message(node))

    assert ("not_awaited", node) == (refusal.code, refusal.details["node"])
    assert what in refusal.message


def test_same_message_again_is_the_first() -> None:
    """A provider that sends twice under one key is heard once, also when the run is over."""
    run = begun(receive("parcel", message=NUMBER))
    receipt = run.send("parcel", {"n": 1}, key="k").entries[0]
    again = run.expects_already(a_message("parcel", {"n": 1}, key="k"))

    assert ("completed", receipt.revision) == (run.state.status, again.revision)
    assert (
        "idempotency_conflict" == run.expects_refusal(a_message("parcel", {"n": 2}, key="k")).code
    )


# --- what a run is found by


@pytest.mark.parametrize(
    ("value", "text"), [("A-1", "A-1"), (7, "7"), ("ü", "ü"), (2**60, str(2**60))]
)
def test_correlation_is_a_text_or_whole_number(value: object, text: str) -> None:
    """Bound once, when the node is entered, and written as a text."""
    run = Scenario(chain(receive("parcel", correlation=FromPath(path=("order",))), step("ship")))
    run.start({"order": value})
    [awaited] = run.entries(MessageAwaited)

    assert text == awaited.correlation


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {"a": 1}])
def test_correlation_that_is_neither_fails_the_visit(value: object) -> None:
    """Nobody could ever find it; the error route is taken."""
    run = Scenario(
        workflow(
            receive("parcel", correlation=Constant(value=value)),
            step("call"),
            routes=(route("parcel", "call", on="error"),),
        )
    )
    run.start()
    [applied] = run.entries(StepApplied)

    assert applied.error is not None
    assert (["call"], "invalid_input") == (run.steps, applied.error.kind)
    assert 1 == run.state.visits[NodeName("parcel")]


def test_correlation_that_is_not_there_fails_the_visit() -> None:
    """As a mapping of a step would."""
    run = Scenario(
        workflow(
            step("pick"),
            receive("parcel", correlation=FromPath(path=("order",))),
            step("call"),
            routes=(route("pick", "parcel"), route("parcel", "call", on="error")),
        )
    )
    run.start()
    run.perform("pick")
    [_, applied] = run.entries(StepApplied)

    assert applied.error is not None
    assert (["call"], "missing_input_path") == (run.steps, applied.error.kind)


def test_correlation_that_is_not_there_at_start_is_refused() -> None:
    """A caller who forgot it gets no run."""
    run = Scenario(chain(receive("parcel", correlation=FromPath(path=("order",))), step("ship")))
    refusal = run.expects_refusal(a_start({}))

    assert ("missing_input_path", "parcel") == (refusal.code, refusal.details["node"])
    assert [] == run.journal


def test_start_ends_with_the_first_node_that_fails_it() -> None:
    """What would be entered beside it is not entered any more."""
    spec = workflow(
        receive("parcel", correlation=FromPath(path=("order",))),
        step("pick"),
        step("ship", after=("pick",)),
    )
    run = Scenario(spec)
    run.start({"order": []})

    assert ("failed", {}) == (run.state.status, run.state.live)


def test_nothing_is_entered_beside_a_node_that_fails_the_run() -> None:
    """Of several nodes that are ready at once the first may end it."""
    spec = workflow(
        step("pick"),
        receive("parcel", correlation=FromPath(path=("order",)), after=("pick",)),
        step("ship", after=("pick",)),
    )
    run = Scenario(spec)
    run.start()
    run.perform("pick")

    assert ("failed", {}) == (run.state.status, run.state.live)


def test_message_stays_kept_when_its_visit_failed_on_the_way_in() -> None:
    """Only a visit that waits takes one."""
    run = Scenario(
        workflow(
            step("pick", output="order"),
            receive("parcel", correlation=FromPath(path=("order",)), max_visits=2),
            routes=(
                route("pick", "parcel"),
                route("parcel", "complete"),
                route("parcel", "parcel", on="error"),
            ),
        )
    )
    run.start()
    run.send("parcel")
    run.perform("pick", [])

    assert ("failed", 1) == (run.state.status, len(run.state.mail.kept))
