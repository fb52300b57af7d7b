"""
What differs between two runs, or between one run at two revisions.

    facts     status, reason, definition, queue … by name
    path      the nodes whose results were taken in: as far as both went alike, then each one's own
    steps     what each step of either definition has come to
    context   payload and outputs, value by value, each with its path

Instants, ids and keys differ between any two runs and say nothing, so they are
left out.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final, Literal

from attrs import Factory, frozen

from squidmesh_core.ids import NodeName, Revision, RunId
from squidmesh_core.values.binding import Path
from squidmesh_core.values.condition import same
from squidmesh_core.views.inspection import Snapshot
from squidmesh_core.views.plain import View
from squidmesh_core.views.steps import StepView

#: Whether a value is only in the second, only in the first, or in both.
ValueChange = Literal["added", "removed", "changed"]

_OF_RUN: Final = (
    "workflow", "version", "fingerprint", "trigger", "status", "queue", "priority", "tags", "key",
    "partition_key", "error",
)  # fmt: skip


@frozen(kw_only=True)
class Side(View):
    """One of the two that are compared."""

    run_id: RunId
    revision: Revision


@frozen(kw_only=True)
class FactDiff(View):
    """A fact about the run as a whole."""

    name: str
    before: object
    after: object


@frozen(kw_only=True)
class StepDiff(View):
    """What became of one step; null: that definition has no such step."""

    node: NodeName
    before: str | None
    after: str | None
    #: How often it was entered.
    visits_before: int = 0
    visits_after: int = 0


@frozen(kw_only=True)
class ValueDiff(View):
    """A value of the context."""

    path: tuple[str, ...]
    change: ValueChange
    before: object = None
    after: object = None


@frozen(kw_only=True)
class PathDiff(View):
    """The ways that two runs took."""

    #: As far as both went alike.
    common: tuple[NodeName, ...] = ()
    #: Where only the first went from there on.
    before: tuple[NodeName, ...] = ()
    #: Where only the second went.
    after: tuple[NodeName, ...] = ()


@frozen(kw_only=True)
class RunDiff(View):
    """The difference; false where nothing that counts differs."""

    before: Side
    after: Side
    facts: tuple[FactDiff, ...] = ()
    path: PathDiff = Factory(PathDiff)
    steps: tuple[StepDiff, ...] = ()
    context: tuple[ValueDiff, ...] = ()

    def __bool__(self) -> bool:
        ways = self.path.before or self.path.after
        return bool(self.facts or ways or self.steps or self.context)


def diff(before: Snapshot, after: Snapshot) -> RunDiff:
    """From one run to another, or from one revision of a run to another."""
    return RunDiff(
        before=Side(run_id=before.run.id, revision=before.at_revision),
        after=Side(run_id=after.run.id, revision=after.at_revision),
        facts=tuple(_facts(before, after)),
        path=_ways(before.applied, after.applied),
        steps=tuple(_steps(before, after)),
        context=tuple(_values((), before.context, after.context)),
    )


def _facts(before: Snapshot, after: Snapshot) -> Iterator[FactDiff]:
    pairs = [(name, getattr(before.run, name), getattr(after.run, name)) for name in _OF_RUN]
    pairs += [
        ("reason", before.reason, after.reason),
        ("failed_step", before.failed_step, after.failed_step),
        ("waiting_on", before.waiting_on, after.waiting_on),
        ("anomalies", len(before.anomalies), len(after.anomalies)),
    ]
    for name, one, other in pairs:
        if one != other:
            yield FactDiff(name=name, before=one, after=other)


def _ways(before: tuple[NodeName, ...], after: tuple[NodeName, ...]) -> PathDiff:
    pairs = zip(before, after, strict=False)
    common = tuple(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return PathDiff(common=common, before=before[len(common) :], after=after[len(common) :])


def _steps(before: Snapshot, after: Snapshot) -> Iterator[StepDiff]:
    one, other = _by_name(before), _by_name(after)
    for name in dict.fromkeys([*one, *other]):
        was, has = one.get(name), other.get(name)
        found = StepDiff(
            node=name,
            before=was.status if was else None,
            after=has.status if has else None,
            visits_before=was.visits if was else 0,
            visits_after=has.visits if has else 0,
        )
        if (found.before, found.visits_before) != (found.after, found.visits_after):
            yield found


def _by_name(snapshot: Snapshot) -> dict[NodeName, StepView]:
    return {step.name: step for step in snapshot.steps}


def _values(path: Path, before: object, after: object) -> Iterator[ValueDiff]:
    """Objects are compared member by member, anything else as a whole."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            inner = (*path, str(name))
            if name not in before:
                yield ValueDiff(path=inner, change="added", after=after[name])
            elif name not in after:
                yield ValueDiff(path=inner, change="removed", before=before[name])
            else:
                yield from _values(inner, before[name], after[name])
    elif not same(before, after):
        yield ValueDiff(path=path, change="changed", before=before, after=after)
