"""Runs whose journal this process cannot read: damaged ones, and those of a newer release."""

from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

from attrs import frozen

from squidmesh_core.ids import Revision
from squidmesh_core.views.explanation.records import (
    Action,
    ActionName,
    Evidence,
    Explanation,
    RefusedAction,
)
from squidmesh_core.views.inspection import Run
from squidmesh_core.views.words import clipped

#: What every door refuses.
_REFUSED: Final[tuple[ActionName, ...]] = (
    "approve",
    "reject",
    "resume",
    "pause",
    "send",
    "cancel",
    "replay",
    "retry_compensation",
)


@frozen(kw_only=True)
class Unreadable:
    """Why a journal cannot be read."""

    reason: Literal["run_quarantined", "newer_entries"]
    #: What does not fit, or is too new.
    said: str
    #: Where that begins, if it is one place.
    revision: Revision | None = None
    #: What every command is refused with.
    message: str


def explain_unreadable(
    run: Run, why: Unreadable, now: datetime, *, zone: tzinfo = UTC
) -> Explanation:
    """
    Why nobody works on a run, from its index row and the error alone.

    Args:
        run: The run as the list has it.
        why: What reading it was refused with.
        now: The instant.
        zone: Where the clock hangs that instants are read off.
    """
    where = f" at revision {why.revision}" if why.revision is not None else ""
    damaged = why.reason == "run_quarantined"
    if damaged:
        summary = f"Its journal cannot be trusted{where}: {clipped(why.said)}; nobody works on it."
        line = "it stays so until `verify` finds its journal whole; other runs are not affected"
    else:
        summary = (
            f"A newer squidmesh wrote to it{where}: {clipped(why.said)}; this one leaves it alone."
        )
        line = "a process with that release works on it; deploy it here too"
    return Explanation(
        run=run,
        status=run.status,
        reason=why.reason,
        node=None,
        summary=summary,
        since=None,
        at=now,
        why=(f"the last that is known of it: {run.status}, revision {run.revision}", line),
        details={"revision": why.revision, "said": clipped(why.said)},
        next_actions=(_verify(run, damaged=damaged),),
        refused_actions=tuple(
            RefusedAction(name=name, code=why.reason, message=why.message) for name in _REFUSED
        ),
        evidence=Evidence(at_revision=run.revision),
        zone=zone,
    )


def _verify(run: Run, *, damaged: bool) -> Action:
    effect = "reads every append again; a journal that is whole by then is worked on again"
    return Action(
        name="verify",
        label="read its journal again",
        safe=True,
        effect=effect if damaged else "reads every append again, as far as this release can",
        call=f'mesh.verify("{run.id}")',
        command=f"squidmesh verify {run.id}",
    )
