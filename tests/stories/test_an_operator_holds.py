"""Stories of a hold: an operator stops a run for a while, and nothing of it is lost."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from squidmesh import Refused, Workflow, manual, receive, step, wait
from support.stage import Stage, claimed


@dataclass(frozen=True)
class Word:
    """What is sent."""

    text: str


def one() -> int:
    """The first step."""
    return 1


def two(before: int, word: str) -> str:
    """The last step."""
    return f"{before + 1} {word}"


class Errand(Workflow, name="stories.Errand"):
    """A step, a wait, a message, a step."""

    asked = manual()
    first = step(one)
    later = wait("1h")
    word = receive(Word)
    second = step(two).takes(first.out, word.out.text)
    first.then(later).then(word).then(second)


def test_under_a_hold_what_runs_settles_and_nothing_else_begins(stage: Stage) -> None:
    """The claimed step counts, the due timer waits, and the run goes on where it was."""
    ana, olga = stage.mesh(Errand), stage.mesh(Errand)
    run = ana.start(Errand.asked)
    claim = claimed(ana)

    assert "paused" == olga.pause(run, by="olga", note="the printer burns").status
    ana.complete(claim, 1)
    stage.clock.advance(timedelta(hours=2))
    assert (0, ("first",)) == (ana.drain(), ana.inspect(run).applied)

    olga.resume(run, by="olga")
    ana.drain()
    olga.send(run, Errand.word, Word("done"))
    ana.drain()

    ended = ana.inspect(run)
    assert ("completed", "2 done") == (ended.status, ended.out(Errand.second))
    assert ["pause", "resume", "send"] == [
        receipt.command for receipt in ended.command_history if receipt.command != "start"
    ]


def test_a_message_to_a_held_run_is_taken_and_waits_with_it(stage: Stage) -> None:
    """A hold closes no mailbox."""
    mesh = stage.mesh(Errand)
    run = mesh.start(Errand.asked)
    mesh.drain()
    stage.clock.advance(timedelta(hours=1))
    mesh.drain()
    mesh.pause(run, by="olga")

    mesh.send(run, Errand.word, Word("early"))
    assert (0, "paused") == (mesh.drain(), mesh.inspect(run).status)
    mesh.resume(run, by="olga")
    mesh.drain()

    assert "2 early" == mesh.inspect(run).out(Errand.second)


def test_a_run_is_held_once_and_a_held_run_can_be_cancelled(stage: Stage) -> None:
    """The second hold is refused, its repetition with the same key is not."""
    mesh = stage.mesh(Errand)
    run = mesh.start(Errand.asked)

    first = mesh.pause(run, by="olga", key="stop")
    again = mesh.pause(run, by="olga", key="stop")
    with pytest.raises(Refused):
        mesh.pause(run, by="pat")
    ended = mesh.cancel(run, by="olga")

    assert (False, True) == (first.duplicate, again.duplicate)
    assert ("cancelled", ()) == (ended.status, mesh.approvals().items)
