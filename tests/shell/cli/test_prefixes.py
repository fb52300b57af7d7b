"""A run is named by any beginning of its id that no other run has, wherever one is named."""

from collections.abc import Callable

import pytest

from support.commands import Typed

Start = Callable[..., str]
IDS = [f"0190f0e0-0000-7000-8000-00000000000{n}" for n in range(2)]
#: Commands that name a run, with `{}` in its place.
NAMING = [
    "show {}", "explain {}", "graph {}", "journal {}", "journal {} --follow", "watch {}",
    "diff {}@1", "diff 0190f0e0-0000-7000-8000-000000000000 {}",
    "approve {} --by ana --yes", "reject {} --by ana --yes", "pause {} --yes", "resume {} --yes",
    "cancel {} --yes", "cancel --parent {} --yes", "replay {} --yes", "replay --parent {} --yes",
    "retry-compensation {} --yes", "send {} checked", "bundle {}", "verify {}",
    "prune --run {} --yes", "runs --parent {}",
]  # fmt: skip


@pytest.mark.parametrize("typed", NAMING)
def test_an_ambiguous_prefix_lists_who_has_it(squidmesh: Typed, started: Start, typed: str) -> None:
    """Exit code 3, one candidate a line; nothing is done."""
    for run_id in IDS:
        started("Ana", "--run-id", run_id)
    command = typed.format("0190F0E0").split()

    said, document = squidmesh(*command), squidmesh(*command, "--json")

    assert (3, "") == (said.code, said.out)
    assert ["error (SM403 ambiguous_run_id): 0190f0e0 begins several runs:"] + [
        f"  {run_id}" for run_id in IDS
    ] == said.err.splitlines()[:3]
    assert {"run_id": "0190f0e0", "candidates": IDS} == document.error["details"]
    assert ["running"] * 2 == [record[2] for record in squidmesh("runs").records]


@pytest.mark.parametrize("typed", NAMING)
def test_a_prefix_that_nobody_has_is_not_found(
    squidmesh: Typed, started: Start, typed: str
) -> None:
    """Exit code 3 as well, with another code; what begins no id is told apart."""
    started("Ana", "--run-id", IDS[0])

    unknown = squidmesh(*typed.format("feed").split())
    wrong = squidmesh(*typed.format("zebra").split())

    assert (3, "", True) == (unknown.code, unknown.out, "SM401 not_found" in unknown.err)
    assert (3, "", True) == (wrong.code, wrong.out, "SM402 invalid_run_id" in wrong.err)


def test_more_candidates_than_anybody_reads_are_not_listed(
    squidmesh: Typed, started: Start
) -> None:
    """Ten of them, and that there are more."""
    for number in range(12):
        started("Ana", "--run-id", f"0190f0e0-0000-7000-8000-0000000000{number:02}")

    said = squidmesh("show", "0190")

    assert "0190 begins several runs, among them:" in said.err
    assert 10 == sum(line.startswith("  0190") for line in said.err.splitlines())
