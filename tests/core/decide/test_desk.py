"""The desk lets no decider write what does not fit."""

import pytest

from squidmesh_core.decide import desk as desk_module
from squidmesh_core.decide.desk import Desk
from squidmesh_core.errors import StorageError
from squidmesh_core.ids import Fingerprint
from squidmesh_core.protocol.entries import RunPruned, RunTerminal
from squidmesh_core.state.fold import fold
from support.scenario import Scenario
from support.workflows import chain, step


def desk() -> Desk:
    """A desk on a run that has just begun."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    return Desk(run.state, run.spec, run.now, run.offer())


def test_an_entry_that_does_not_fit_is_a_bug_and_not_an_anomaly() -> None:
    """Nothing of the decision is appended, and the message says what the fold had against it."""
    made = desk()
    again = RunTerminal(at=made.now, revision=made.next_revision, status="completed")
    made.write(again)

    with pytest.raises(RuntimeError, match="nothing was appended"):
        made.write(again)


def test_an_entry_that_does_not_fit_beside_others_is_damage() -> None:
    """A journal in which an entry does not fit is no decider's: the first such one is named."""
    run = Scenario(chain(step("a"), step("b")))
    run.start()
    begun = run.state.revision
    late = RunPruned(
        at=run.now, workflow="orders", definition=Fingerprint("f" * 64), trigger="placed",
        digest="d", status="completed", started_at=run.now, ended_at=run.now,
    )  # fmt: skip
    made = Desk(fold(run.state, [late]), run.spec, run.now, run.offer())
    end = RunTerminal(at=made.now, revision=made.next_revision, status="completed")
    made.write(end)

    with pytest.raises(StorageError, match="RunPruned does not fit") as caught:
        made.write(end)

    assert ("run_quarantined", begun + 1) == (caught.value.code, caught.value.details["revision"])


@pytest.mark.parametrize("most", [2, 3])
def test_a_decision_without_end_is_stopped(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start writes three entries; a decider that loops would fill the memory."""
    monkeypatch.setattr(desk_module, "MOST_ENTRIES", most)
    run = Scenario(chain(step("a"), step("b")))

    if most == 3:
        assert 3 == len(run.start().entries)
    else:
        with pytest.raises(RuntimeError, match="over 2 entries"):
            run.start()


def test_minted_claims_differ() -> None:
    """Each claim of one append has an id and a token of its own, and none is the offer's."""
    made = desk()
    offer = made.offer
    assert offer is not None
    claims = [made.mint(offer) for _ in range(3)]

    assert [f"{offer.claim_id}-{n}" for n in (1, 2, 3)] == [claim_id for claim_id, _ in claims]
    assert 4 == len({offer.claim_token_hash, *(token for _, token in claims)})
    assert {64} == {len(token) for _, token in claims}
