"""
One command on many runs.

    choose   a page of what a filter lets through, or the runs that are named
    decide   about each alone: a no to one of them stops no other
    tell     what became of each, or of a plan what would

What was done stays done, whatever happens later: the same call again, under the same
key, does nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypedDict, assert_never

from attrs import evolve, frozen

from squidmesh import checks
from squidmesh.door.door import Door
from squidmesh.door.handle import Handled
from squidmesh.door.known import Known
from squidmesh.door.outcomes import refusal
from squidmesh.door.recall import UNREADABLE
from squidmesh.people import By, CommandOptions
from squidmesh.steering import replaying
from squidmesh.steering.asking import Asked
from squidmesh.views.filtering import RunFilters
from squidmesh.views.listing import runs
from squidmesh.views.paging import LONGEST_PAGE
from squidmesh.views.reading import run_id_of
from squidmesh.views.snapshot import RunRef
from squidmesh_core.decide import Already, Answer, Decision, Refusal, decide
from squidmesh_core.decide.bulk import BulkVerb, began, is_for
from squidmesh_core.decide.replay import ReplayPlan
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import RevisionConflict, SquidmeshError, StorageError
from squidmesh_core.ids import RunId
from squidmesh_core.protocol.requests import ReplayRequest
from squidmesh_core.views.bulk import Bulk, Outcome, Steered
from squidmesh_core.views.effects import Effects, replay_effects
from squidmesh_core.views.inspection import Run, run_of

#: Filters of `Mesh.runs`, or the runs themselves.
Which = RunFilters | Sequence[RunRef]
#: Stands for a run while what was said is checked.
_ANY: Final = "00000000-0000-7000-8000-000000000000"


class BulkOptions(TypedDict, total=False):
    """What a command on many runs may say besides its key."""

    #: Who says so.
    by: By | None
    #: Why, for people.
    note: str | None
    #: Further facts; values under names such as `api_key` are redacted before they are kept.
    metadata: Mapping[str, object] | None
    #: The instant to decide at, for tests; otherwise the storage's clock.
    now: datetime | None


@frozen(kw_only=True)
class Choice:
    """Which runs are meant, how many at once, and whether anything is to be done."""

    which: Which
    #: What makes the command the same when it is repeated.
    key: str | None
    cursor: str | None
    limit: int
    #: Only say what would follow.
    plan: bool

    def options(self, said: BulkOptions) -> CommandOptions:
        """What the command says to one of the runs."""
        return {
            "by": said.get("by"),
            "note": said.get("note"),
            "metadata": said.get("metadata"),
            "now": said.get("now"),
            "key": self.key,
        }


def cancel_all(door: Door, choice: Choice, ask: Callable[[RunRef], Asked]) -> Bulk:
    """
    End each of the chosen runs, or say what would follow.

    Args:
        door: The way to them.
        choice: Which runs.
        ask: From a run to the command.

    Raises:
        ConfigError: What was said, or the choice, is wrong.
        StorageError: The storage failed.
    """
    checks.flag("plan", choice.plan)
    now = ask(_ANY).now
    run_ids, after = _chosen(door, "cancel", choice)
    found = [_read(door, run_id) for run_id in run_ids]
    known = [one for one in found if isinstance(one, Known)]
    asked = [ask(one.state.run_id) for one in known]
    if choice.plan:
        at = now or door.journal.now()
        answers: list[Answer | SquidmeshError] = [
            decide(one.state, one.spec, wish.command, at)
            for one, wish in zip(known, asked, strict=True)
        ]
    else:
        commands = [(wish.run_id, wish.command) for wish in asked]
        answers = [_answer(handled) for handled in door.handle_all(commands, now=now)]
    told = map(_cancelled, known, answers)
    items = tuple(one if isinstance(one, Steered) else next(told) for one in found)
    return Bulk(verb="cancel", planned=choice.plan, items=items, next=after)


def replay_all(
    door: Door,
    choice: Choice,
    ask: Callable[[RunRef], ReplayRequest],
    registered: Mapping[str, Spec],
    now: datetime | None,
) -> Bulk:
    """
    Replay each of the chosen runs, or say what would follow.

    Args:
        door: The way to them.
        choice: Which runs; its key is that of each replay.
        ask: From a run to what is wanted of it.
        registered: The present definitions, by workflow name.
        now: The instant to decide at; null: the storage's clock.

    Raises:
        ConfigError: What was said, or the choice, is wrong.
        StorageError: The storage failed.
    """
    checks.flag("plan", choice.plan)
    if choice.key is None:
        raise checks.wrong("key", "needed, so that the same call again replays nothing twice")
    ask(_ANY)
    run_ids, after = _chosen(door, "replay", choice)

    def replayed(run_id: RunId) -> Steered:
        known = _read(door, run_id)
        if isinstance(known, Steered):
            return known
        try:
            found = (replaying.foreseen if choice.plan else replaying.replayed)(
                door, ask(run_id), registered, now
            )
        except SquidmeshError as error:
            return _refused(run_id, run_of(known.state), error)
        return _replayed(run_of(known.state), found)

    items = tuple(map(replayed, run_ids))
    return Bulk(verb="replay", planned=choice.plan, items=items, next=after)


# --- choosing


def _chosen(door: Door, verb: BulkVerb, choice: Choice) -> tuple[tuple[RunId, ...], str | None]:
    """The runs that are meant, and the cursor of those that come after them."""
    which, key = choice.which, choice.key
    if not isinstance(which, Mapping):
        return _named(which, choice.cursor), None
    if all(value is None for value in which.values()):
        raise checks.wrong("which", "no filter is set, and all runs are more than anybody means")
    page = runs(door, which, choice.cursor, choice.limit)
    anything = which.get("status") is not None
    meant = (
        run.id
        for run in page.items
        if (anything or is_for(verb, run.status))
        and not (key is not None and began(key, run.id, run.replayed_from))
    )
    return tuple(meant), page.next


def _named(which: Sequence[RunRef], cursor: str | None) -> tuple[RunId, ...]:
    if isinstance(which, str) or not isinstance(which, Sequence):
        raise checks.wrong("which", "expected filters, or a list of runs")
    if cursor is not None:
        raise checks.wrong("cursor", "runs that are named have no pages")
    if len(which) > LONGEST_PAGE:
        raise checks.wrong("which", f"expected at most {LONGEST_PAGE} runs")
    return tuple(dict.fromkeys(map(run_id_of, which)))


# --- deciding


def _read(door: Door, run_id: RunId) -> Known | Steered:
    try:
        return door.fresh(run_id)
    except SquidmeshError as error:
        return _refused(run_id, None, error)


def _answer(handled: Handled | Exception) -> Answer | SquidmeshError:
    """
    What the door said of one run.

    Raises:
        Exception: A bug of ours; what the others got stays done.
    """
    if isinstance(handled, Handled):
        return handled.answer
    if isinstance(handled, SquidmeshError):
        return handled
    raise handled


# --- telling


def _cancelled(known: Known, answer: Answer | SquidmeshError) -> Steered:
    before = run_of(known.state)
    match answer:
        case Refusal():
            return _refused(before.id, before, refusal(answer))
        case SquidmeshError():
            return _refused(before.id, before, answer)
        case Decision():
            effects = Effects(known.state, known.spec).of(answer)
            after = run_of(answer.state).status
            return evolve(_done(before), after=after, effects=effects)
        case Already():
            return evolve(_done(before), outcome="already")
    assert_never(answer)


def _replayed(source: Run, found: Handled | ReplayPlan) -> Steered:
    if isinstance(found, ReplayPlan):
        return evolve(_done(source), effects=replay_effects(found))
    if isinstance(found.answer, Refusal):
        return _refused(source.id, source, refusal(found.answer))
    outcome: Outcome = "already" if isinstance(found.answer, Already) else "done"
    return evolve(_done(source), outcome=outcome, begun=found.state.run_id)


def _done(run: Run) -> Steered:
    status = run.status
    return Steered(id=run.id, workflow=run.workflow, outcome="done", before=status, after=status)


def _refused(run_id: RunId, run: Run | None, error: SquidmeshError) -> Steered:
    """
    One run's no.

    Raises:
        StorageError: The error is not about that run; what was done stays done.
        RevisionConflict: Nobody has said no.  In a host's transaction, all of it is to be
            done again.
    """
    elsewhere = isinstance(error, StorageError) and error.code not in UNREADABLE
    if elsewhere or isinstance(error, RevisionConflict):
        raise error
    said = (
        Steered(id=run_id, workflow=None, outcome="refused", before=None, after=None)
        if run is None
        else evolve(_done(run), outcome="refused")
    )
    return evolve(said, code=error.code, message=error.message)
