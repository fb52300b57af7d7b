"""
The promises of `squidmesh_storage.api` as tests that any adapter's author can run.

    class TestMine(JournalConformance):
        def open_journal(self, clock: Clock, tmp_path: Path) -> Journal:
            return MyJournal(tmp_path / "journal", clock=clock)

pytest collects the rest.  `kit.Promises` says what else an adapter may tell about
itself; a promise that it gives no means to test is skipped, with the reason.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "appending", "chain", "claiming", "closing", "concurrency", "deadlines", "finding",
            "foremost", "indexing", "joining", "keeping", "kit", "lanes", "limits", "listing",
            "loading", "noticing", "recording", "removing", "surveying", "waking",
        )
    )
)  # fmt: skip

from squidmesh_storage.conformance.appending import AppendPromises  # noqa: E402 (after the hook)
from squidmesh_storage.conformance.chain import ChainPromises  # noqa: E402
from squidmesh_storage.conformance.claiming import ClaimPromises  # noqa: E402
from squidmesh_storage.conformance.closing import ClosePromises  # noqa: E402
from squidmesh_storage.conformance.concurrency import ConcurrencyPromises  # noqa: E402
from squidmesh_storage.conformance.deadlines import DeadlinePromises  # noqa: E402
from squidmesh_storage.conformance.finding import FindingPromises  # noqa: E402
from squidmesh_storage.conformance.foremost import ForemostPromises  # noqa: E402
from squidmesh_storage.conformance.indexing import IndexPromises  # noqa: E402
from squidmesh_storage.conformance.joining import JoiningPromises  # noqa: E402
from squidmesh_storage.conformance.keeping import KeepingPromises  # noqa: E402
from squidmesh_storage.conformance.kit import Clock  # noqa: E402
from squidmesh_storage.conformance.lanes import LanePromises  # noqa: E402
from squidmesh_storage.conformance.limits import LimitPromises  # noqa: E402
from squidmesh_storage.conformance.listing import ListPromises  # noqa: E402
from squidmesh_storage.conformance.loading import LoadPromises  # noqa: E402
from squidmesh_storage.conformance.noticing import NoticePromises  # noqa: E402
from squidmesh_storage.conformance.recording import RecordPromises  # noqa: E402
from squidmesh_storage.conformance.removing import RemovePromises  # noqa: E402
from squidmesh_storage.conformance.surveying import SurveyPromises  # noqa: E402
from squidmesh_storage.conformance.waking import WakePromises  # noqa: E402


class JournalConformance(
    AppendPromises,
    LoadPromises,
    ChainPromises,
    ClaimPromises,
    ForemostPromises,
    LanePromises,
    LimitPromises,
    IndexPromises,
    FindingPromises,
    ListPromises,
    DeadlinePromises,
    KeepingPromises,
    RecordPromises,
    NoticePromises,
    RemovePromises,
    SurveyPromises,
    WakePromises,
    ClosePromises,
    JoiningPromises,
    ConcurrencyPromises,
):
    """Every promise that a journal makes."""


__all__ = ["Clock", "JournalConformance"]
