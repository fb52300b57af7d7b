"""What is claimed on the way while more urgent work is known to wait (protocol §3)."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.decide import Decision, decide
from squidmesh_core.ids import NodeName
from squidmesh_core.protocol.commands import Claim, Complete, Offer
from squidmesh_core.protocol.entries import AttemptClaimed, AttemptScheduled
from support.scenario import Scenario
from support.workflows import chain, log, step, workflow

QUEUES = ("default", "mail")
#: Steps that become due together: the queue and the priority of each.
Branches = list[tuple[str, int]]

branches = st.lists(st.tuples(st.sampled_from(QUEUES), st.integers(0, 4)), min_size=1, max_size=4)
outlooks = st.dictionaries(st.sampled_from([*QUEUES, "other"]), st.integers(-1, 5))


def decided(given: Branches, waiting: dict[str, int] | None) -> tuple[Decision, Offer]:
    """The end of a step that several follow, and a log line, by a worker that stays."""
    steps = (
        step(f"b{number}", after=("head",), queue=queue, priority=priority)
        for number, (queue, priority) in enumerate(given)
    )
    run = Scenario(workflow(step("head"), log("note", after=("head",)), *steps))
    run.start()
    held = run.claim("head")
    offer = run.offer(queues=frozenset(QUEUES))
    if waiting is not None:
        offer = evolve(offer, waiting=waiting)
    answer = decide(run.state, run.spec, Complete(held=held, offer=offer), run.now)
    assert isinstance(answer, Decision)
    return answer, offer


def taken(decision: Decision, offer: Offer) -> list[AttemptClaimed]:
    """The claims that were made for the slot."""
    return [
        entry
        for entry in decision.entries
        if isinstance(entry, AttemptClaimed) and entry.claim_id == offer.claim_id
    ]


@given(given=branches, waiting=outlooks)
def test_nothing_less_urgent_is_claimed_and_nothing_else_is_different(
    given: Branches, waiting: dict[str, int]
) -> None:
    """Of what is at least as urgent the first is claimed; the run moves as it does without."""
    free, offer = decided(given, None)
    bound, _ = decided(given, waiting)
    claimable = [
        (priority, f"b{number}")
        for number, (queue, priority) in enumerate(given)
        if priority <= waiting.get(queue, priority)
    ]

    expected = [NodeName(name) for _, name in sorted(claimable)[:1]]
    steps = {e.attempt_key: e.step for e in bound.entries if isinstance(e, AttemptScheduled)}
    claims = taken(bound, offer)

    assert expected == [steps[claim.attempt_key] for claim in claims]
    assert [e for e in free.entries if e not in taken(free, offer)] == [
        e for e in bound.entries if e not in claims
    ]


def test_equally_urgent_work_goes_on() -> None:
    """It was there first, and the slot is at it."""
    assert 1 == len(taken(*decided([("default", 3)], {"default": 3})))
    assert [] == taken(*decided([("default", 3)], {"default": 2}))


def test_a_start_leaves_its_slot_to_what_is_more_urgent() -> None:
    """It begins, does what needs nobody, and waits its turn."""
    run = Scenario(chain(log("note"), step("charge")))
    run.start(offer=evolve(run.offer(), waiting={"default": 1}), priority=2)

    assert ["completed", "available"] == [run.attempt(name).status for name in ("note", "charge")]


def test_a_claim_that_was_asked_for_is_made() -> None:
    """What waits is only asked about on the way: a claim transaction sees it."""
    run = Scenario(chain(step("charge")))
    run.start(priority=9)
    offer = evolve(run.offer(), waiting={"default": 1})
    run.decides(Claim(attempt_key=run.attempt("charge").key, offer=offer))

    assert "claimed" == run.attempt("charge").status
