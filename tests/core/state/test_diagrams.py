"""The diagrams in specs/states/ are those of the code, and of what runs really do."""

import importlib.util
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Protocol, cast, get_args

import pytest
from attrs import evolve
from hypothesis import given

from squidmesh_core.definition.spec import Node
from squidmesh_core.ids import NodeName, visit_key
from squidmesh_core.protocol.commands import Copied, Undoing
from squidmesh_core.protocol.entries import Reused
from squidmesh_core.protocol.rows import RunStatus
from squidmesh_core.state.attempt import AttemptStatus
from squidmesh_core.values import Compare
from support.entries import OTHER_RUN
from support.plays import plays
from support.scenario import BOOM, SECOND, Scenario, a_cancel, a_start
from support.workflows import chain, log, pause, receive, route, step, workflow

SPECS = Path(__file__).parents[3] / "specs"

Move = tuple[RunStatus | None, RunStatus]


class Diagrams(Protocol):
    """The names of specs/diagrams.py that are asked here."""

    RUN_STATUSES: dict[RunStatus, str]
    RUN_MOVES: tuple[tuple[RunStatus | None, RunStatus, str], ...]

    def render(self) -> dict[str, str]: ...


def loaded() -> Diagrams:
    spec = importlib.util.spec_from_file_location("diagrams", SPECS / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Diagrams", module)


DIAGRAMS = loaded()
MOVES: set[Move] = {(old, new) for old, new, _ in DIAGRAMS.RUN_MOVES}


def moves_of(run: Scenario) -> set[Move]:
    """The changes of status that this run went through."""
    statuses = [None if state.started is None else state.status for state in run.states]
    return {(old, new) for old, new in pairwise(statuses) if new is not None and old != new}


@pytest.mark.parametrize("page", DIAGRAMS.render())
def test_committed_page_is_what_the_code_draws(page: str) -> None:
    """A table that changes takes its diagram along."""
    assert DIAGRAMS.render()[page] == (SPECS / page).read_text(encoding="utf-8")


def test_no_page_is_left_over() -> None:
    """Every page in specs/states/ is drawn."""
    pages = {path.relative_to(SPECS).as_posix() for path in (SPECS / "states").iterdir()}

    assert DIAGRAMS.render().keys() == pages


def test_every_status_is_drawn() -> None:
    """No status of an attempt or a run is missing from its page."""
    pages = DIAGRAMS.render()

    assert all(
        f"| `{status}` |" in pages["states/attempt.md"] for status in get_args(AttemptStatus)
    )
    assert set(get_args(RunStatus)) == DIAGRAMS.RUN_STATUSES.keys()


@given(plays())
def test_runs_move_only_along_the_drawn_lines(run: Scenario) -> None:
    """Whatever happens, a run's status changes as the diagram says."""
    assert moves_of(run) <= MOVES


def test_every_drawn_line_can_be_walked() -> None:
    """No line of the run's diagram is there for show."""
    walked = [*simple_ones(), *waiting_ones(), *held_ones(), *undoing_ones()]

    assert MOVES == set().union(*map(moves_of, walked))


def begun(*nodes: Node) -> Scenario:
    """A started run of these nodes, one after the other."""
    run = Scenario(chain(*nodes))
    run.start()
    return run


def simple_ones() -> Iterator[Scenario]:
    """Runs that need nobody but workers."""
    done, broken, stopped = (begun(step("charge")) for _ in range(3))
    done.perform("charge")
    broken.fail(broken.claim("charge"))
    stopped.cancel()
    alone = Scenario(chain(log("note")))
    alone.start(offer=alone.offer())
    never = Compare(path=("x",), operator="equals", operand=1)
    lost = Scenario(workflow(log("note"), log("end"), routes=(route("note", "end", when=never),)))
    lost.start(offer=lost.offer())
    yield from (done, broken, stopped, alone, lost)


def waiting_ones() -> Iterator[Scenario]:
    """Runs that wait for people and for messages, or that nobody cares for."""
    answered = begun(pause("look"), step("charge"), receive("parcel"), pause("sign"))
    answered.resume()
    answered.perform("charge")
    answered.send("parcel")
    answered.resume()
    served = begun(receive("parcel"), step("charge"), pause("look"), receive("bill"))
    served.send("parcel")
    served.perform("charge")
    served.resume()
    served.send("bill")
    yield from (answered, served)
    for node in (pause("look", timeout_ms=1_000), receive("parcel", timeout_ms=1_000)):
        late, stopped = begun(node), begun(node)
        late.time_passes(SECOND)
        late.strike(node.name)
        stopped.cancel()
        yield from (late, stopped)


def held_ones() -> Iterator[Scenario]:
    """Runs that an operator held."""
    run, idle = begun(step("charge")), begun(receive("parcel"), step("charge"))
    for each in (run, idle):
        each.hold()
        each.resume()
    yield from (run, idle)


def undoing_ones() -> Iterator[Scenario]:
    """Runs that undo what they did."""
    charge = evolve(step("charge"), compensate="do.refund")
    for node in (step("ship"), receive("parcel"), pause("look")):
        run = begun(charge, node)
        run.perform("charge")
        run.decides(evolve(a_cancel(), compensate=True))
        run.decides(evolve(a_cancel(), abandon=True))
        yield run
    broken = begun(charge, step("ship"))
    broken.perform("charge")
    broken.fail(broken.claim("ship"))
    broken.perform("charge")
    again = Scenario(broken.spec, run_id=OTHER_RUN)
    copied = Copied(
        visit_key=visit_key(OTHER_RUN, NodeName("charge")),
        step=NodeName("charge"),
        reused_from=Reused(run_id=broken.state.run_id, undo_key="k"),
    )
    undoing = Undoing(cause="failure", failure=BOOM)
    again.decides(evolve(a_start(run_id=OTHER_RUN), copied=(copied,), undoing=undoing))
    yield from (broken, again)
