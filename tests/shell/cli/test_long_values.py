"""However long what somebody said is, a screen of it is enough; programs get all of it."""

from pathlib import Path
from typing import Final

from support.commands import Typed


def test_a_long_note_leaves_the_queues_readable(squidmesh: Typed, on_terminal: Typed) -> None:
    """Whoever wants to read on asks for JSON, or pipes it."""
    note = "the till is closed " * 60 + "until noon"
    squidmesh("set-queue", "slow", "--concurrency", "2")
    squidmesh("pause-queue", "slow", "--note", note)

    assert 8 > len(on_terminal("queues").out.splitlines())
    assert "(at most 2)" in on_terminal("queues").out
    assert squidmesh("queues").records[-1][-1].endswith("until noon")
    assert note in squidmesh("queues", "--json").out


def test_a_large_context_is_shown_as_far_as_anybody_reads(
    squidmesh: Typed, on_terminal: Typed, folder: Path
) -> None:
    """Neither many lines nor long ones push the rest of the run away."""
    (folder / "wide.py").write_text(WIDE, encoding="utf-8")
    run_id = squidmesh("start", "wide:Wide").out.strip()
    squidmesh("step", "--app", "wide")

    shown = on_terminal("show", run_id).out.splitlines()

    assert "… and 78 lines more; --json prints all" == shown[-1].strip()
    assert 150 > len(shown)
    assert '"k99"' in squidmesh("show", run_id, "--json").out


WIDE: Final = """
from squidmesh import Workflow, manual, step


def make() -> dict[str, str]:
    return {f"k{i:02}": "x" * 400 for i in range(100)}


class Wide(Workflow, name="Wide"):
    asked = manual()
    made = step(make)
"""
