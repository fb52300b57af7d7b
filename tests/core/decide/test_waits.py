"""Work that needs nobody: waits that wait, and logs that cost nothing."""

from datetime import timedelta

from squidmesh_core.protocol.commands import Claim
from support.scenario import EPOCH, LEASE, SECOND, Scenario
from support.workflows import chain, log, step, wait


def test_wait_is_visible_when_it_is_over() -> None:
    """Nobody can take it before, and what follows is scheduled only then."""
    run = Scenario(chain(wait("nap", 1_500), step("charge")))
    run.start()
    nap = run.attempt("nap")
    run.time_passes(timedelta(milliseconds=1_499))
    claim = Claim(attempt_key=nap.key, offer=run.offer())

    assert EPOCH + timedelta(milliseconds=1_500) == nap.intent.visible_at
    assert "not_claimed" == run.expects_refusal(claim).code
    run.time_passes(timedelta(milliseconds=1))
    run.tick("nap")
    assert ["charge"] == run.steps


def test_wait_before_the_end_waits() -> None:
    """A run whose last node is a wait completes when the wait is over."""
    run = Scenario(chain(step("charge"), wait("nap", 1_000)))
    run.start()
    run.perform("charge")
    statuses = [run.state.status]
    run.time_passes(SECOND)
    run.tick("nap")
    statuses.append(run.state.status)

    assert ["running", "completed"] == statuses


def test_wait_begins_when_it_is_reached() -> None:
    """Its time counts from the append that enters it."""
    run = Scenario(chain(step("charge"), wait("nap", 1_000)))
    run.start()
    run.time_passes(LEASE)
    run.perform("charge")

    assert EPOCH + LEASE + SECOND == run.attempt("nap").intent.visible_at


def test_logs_between_steps_cost_no_append() -> None:
    """A worker that stays passes them on its way to the next step."""
    run = Scenario(chain(step("a"), log("one"), log("two"), step("b")))
    run.start()
    offer = run.offer()
    run.complete(run.claim("a"), offer=offer)

    assert [run.attempt("b").key] == run.claimed_for(offer)


def test_log_without_an_offer_waits_for_a_worker() -> None:
    """Someone has to write the line; the run stays open until then."""
    run = Scenario(chain(step("a"), log("one")))
    run.start()
    run.perform("a")

    assert ("running", ["one"]) == (run.state.status, run.steps)
    assert (None, "timer") == (run.attempt("one").intent.action, run.attempt("one").intent.kind)
