"""Old versions of entries are read through one step per version."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from squidmesh_core.errors import StorageError
from squidmesh_core.ids import AttemptKey, ClaimId, Revision, RunId
from squidmesh_core.protocol.codec import entry_from_json
from squidmesh_core.protocol.entries import AttemptHeartbeat
from squidmesh_core.protocol.upcast import UPCASTS, upcast

RUN = RunId("0193e2a0-7b3c-7d10-8f00-123456789abc")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

#: A version that never was: it named the lease's length instead of its end.
ANCIENT = {
    "type": "attempt_heartbeat",
    "v": 0,
    "at": "2026-11-21T12:00:00.000000Z",
    "attempt_key": ":charge:1",
    "claim_id": "c1",
    "claim_token_hash": "ab",
    "minutes": 1,
}


def end_of_lease(members: Mapping[str, object]) -> Mapping[str, object]:
    """From the ancient version to the present one."""
    rest = {name: value for name, value in members.items() if name != "minutes"}
    return {**rest, "lease_until": f"2026-11-21T12:0{members['minutes']}:00.000000Z"}


def test_an_old_version_is_read_as_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its step registered, an old entry decodes like any other."""
    monkeypatch.setitem(UPCASTS, ("attempt_heartbeat", 0), end_of_lease)
    expected = AttemptHeartbeat(
        at=NOON,
        revision=Revision(9),
        attempt_key=AttemptKey(f"{RUN}:charge:1"),
        claim_id=ClaimId("c1"),
        claim_token_hash="ab",
        lease_until=NOON + timedelta(minutes=1),
    )

    assert expected == entry_from_json(ANCIENT, run_id=RUN, revision=Revision(9))


def test_steps_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """From version 1 to 3 is two steps, in order."""
    monkeypatch.setitem(UPCASTS, ("run_started", 1), lambda m: {**m, "path": [2]})
    monkeypatch.setitem(UPCASTS, ("run_started", 2), lambda m: {**m, "last": 3})
    reached = upcast({"path": []}, "run_started", version=1, present=3)

    assert {"path": [2], "last": 3} == reached


def test_a_version_that_never_was_is_damage() -> None:
    """Without a step there is no way to read it."""
    with pytest.raises(StorageError, match="attempt_heartbeat has no version 0") as caught:
        entry_from_json(ANCIENT, run_id=RUN, revision=Revision(9))

    assert caught.value.code == "run_quarantined"
