"""`squidmesh doctor`: the installation, the journal, and the work in it, at a glance."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, Literal

import click
from attrs import frozen

from squidmesh.cli.documents import Document
from squidmesh.cli.exits import DONE, STORAGE
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session
from squidmesh.cli.text import counted
from squidmesh.views.health import Health
from squidmesh_core.views.words import span

#: Milliseconds between two clocks that nobody has to care about.
SKEW: Final = 2_000
#: Milliseconds after which waiting work means that workers are few, busy or gone.
LONG: Final = 300_000
#: Bytes of a log that is written back too seldom.
LARGE_LOG: Final = 64 * 2**20
#: Settings without which a commit that was acknowledged may be gone after a crash.
_DURABILITY: Final = frozenset({"fsync", "full_page_writes"})

Mark = Literal["ok", "look", "wrong"]
_STYLES: Final[dict[Mark, str]] = {"ok": "green", "look": "yellow", "wrong": "red"}


@frozen(kw_only=True)
class _Fact:
    """One line of what the doctor says."""

    name: str
    value: str
    mark: Mark = "ok"


@click.command("doctor")
@common
def command(session: Session, /) -> int:
    """
    Say how this installation, the journal and the work in it stand.

    Exit code 7 if the storage does not answer or a run is quarantined.
    """
    screen = session.screen
    with session.mesh(must_exist=True) as mesh:
        health = mesh.health()
        has_actions = bool(mesh.actions.performable())
    here = {"squidmesh": version("squidmesh"), "python": platform.python_version()}
    if screen.form == "json":
        screen.document("doctor/1", **here, **_document(health))
    else:
        facts = [_Fact(name=name, value=value) for name, value in here.items()]
        facts += _facts(health, has_actions=has_actions)
        _print(facts, screen)
    return DONE if health.ok else STORAGE


def _print(facts: list[_Fact], screen: Screen) -> None:
    rows = [
        (Cell.of(fact.mark, _STYLES[fact.mark]), Cell.of(fact.name), Cell.of(fact.value))
        for fact in facts
    ]
    screen.table(("", "what", "how it stands"), rows)


def _facts(health: Health, *, has_actions: bool) -> Iterator[_Fact]:
    yield _Fact(name="journal", value=health.url)
    if health.problem is not None:
        yield _Fact(name="storage", value=health.problem, mark="wrong")
        return
    if health.schema is not None:
        yield _Fact(name="schema", value=str(health.schema))
    for name, value in health.facts.items():
        yield _Fact(name=name, value=str(value), mark="look" if _doubtful(name, value) else "ok")
    skew = abs(health.clock_ms)
    ahead = "ahead of" if health.clock_ms > 0 else "behind"
    yield _Fact(
        name="clock",
        value=f"{span(skew / 1000)} {ahead} this host's" if skew else "that of this host",
        mark="look" if skew > SKEW else "ok",
    )
    yield from _work(health, has_actions=has_actions)


def _doubtful(name: str, value: str | int) -> bool:
    """Whether a fact of the storage bodes ill: commits that may be lost, or none that can be made."""
    if name == "log_bytes":
        return int(value) > LARGE_LOG
    if name == "writable":
        return value != "yes"
    return name in _DURABILITY and value == "off"


def _work(health: Health, *, has_actions: bool) -> Iterator[_Fact]:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(health.runs.items()))
    yield _Fact(name="runs", value=counts or "none")
    if health.oldest_ms is None:
        yield _Fact(name="waiting", value="nothing waits for a worker")
    else:
        yield _Fact(
            name="waiting",
            value=f"the oldest attempt for {span(health.oldest_ms / 1000)}",
            mark="look" if health.oldest_ms > LONG else "ok",
        )
    yield _Fact(name="workers", value=str(health.workers) if health.workers else "none")
    for queue in health.paused:
        yield _Fact(name="queues", value=f"{queue} is paused", mark="look")
    for hook in health.failing_hooks:
        value = f"{hook.name} fails for {hook.event}: {hook.failing[0].problem}"
        yield _Fact(name="hooks", value=value, mark="look")
    for queue, count in health.unserved.items():
        value = f"nobody serves {queue!r}: {counted(count, 'attempt')} waiting"
        yield _Fact(name="queues", value=value, mark="look")
    # Where nobody works, it goes without saying that nobody performs it.
    for action, count in health.unperformed.items() if health.workers else ():
        value = f"{counted(count, 'attempt')} of {action}, which no worker performs"
        yield _Fact(name="actions", value=value, mark="look")
    for run_id, mark in health.quarantined.items():
        where = "" if mark.revision is None else f"revision {mark.revision}: "
        yield _Fact(name="quarantined", value=f"{run_id} {where}{mark.reason}", mark="wrong")
    for run_id in health.newer:
        value = f"{run_id} is left to a newer squidmesh"
        yield _Fact(name="newer", value=value, mark="look")
    # Without an application nothing is performed here, and nobody expects it.
    for action, count in health.unperformable.items() if has_actions else ():
        value = f"{counted(count, 'attempt')} of {action}, which this application does not perform"
        yield _Fact(name="actions", value=value, mark="look")


def _document(health: Health) -> Document:
    return {
        "ok": health.ok,
        "url": health.url,
        "problem": health.problem,
        "schema_version": health.schema,
        "clock_ms": health.clock_ms,
        "runs": dict(health.runs),
        "oldest_waiting_ms": health.oldest_ms,
        "quarantined": [
            {"run_id": run_id, "revision": mark.revision, "reason": mark.reason}
            for run_id, mark in health.quarantined.items()
        ],
        "newer": list(health.newer),
        "unperformable": dict(health.unperformable),
        "workers": health.workers,
        "unserved": dict(health.unserved),
        "unperformed": dict(health.unperformed),
        "paused": list(health.paused),
        "failing_hooks": [hook.to_dict() for hook in health.failing_hooks],
        "storage": dict(health.facts),
    }
