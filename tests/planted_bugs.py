"""
Testing the testers by hand: every planted bug, and which kinds of tests find it.

    python tests/planted_bugs.py           looks for each, and prints the table
    python tests/planted_bugs.py --write   the same, into specs/planted-bugs.md

The state machines and the exhaustive search have tests of their own that say
which bugs they find; those are listed as they are.  The unit tests and the
offline checker are tried here for each known bug, in a process of its own.
It ends with 1 if a bug is found by nothing.
"""

import argparse
import contextlib
import io
import logging
import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    os.environ["SQUIDMESH_HYPOTHESIS"] = "mutation"
    sys.path.insert(0, str(Path(__file__).parent))

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from support import wider_bugs
from support.checking import assert_run_clean
from support.planted import Plant
from support.plays import plays
from support.scenario import Scenario

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "specs" / "planted-bugs.md"
_MARK: Final = "<!-- written by `python tests/planted_bugs.py --write` from here on -->"

#: The test that says which bugs a machine finds.
MACHINES: Final[Mapping[str, str]] = {
    "leases": "test_leases.test_lease_machine_catches",
    "progress": "test_progress.test_progress_machine_catches",
    "crash and recovery": "test_crash_recovery_machine.test_recovery_machine_catches",
    "gates and messages": "test_gates_and_messages.test_waiting_machine_catches",
    "commands": "test_commands.test_command_machine_catches",
    "saga": "test_saga.test_saga_machine_catches",
    "replays": "test_replays.test_replay_machine_catches",
    "admission": "test_admission_machine.test_admission_machine_catches",
    "pruning": "test_pruning.test_pruning_machine_catches",
    "transactions": "test_transactions.test_transaction_machine_catches",
    "hooks": "test_hooks.test_hook_machine_catches",
}

#: The list of bugs that engines of this kind are known to have → ours (specs/planted-bugs.md).
KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "no fence on complete": ("no_fence",),
    "fence on id but not token": ("no_token",),
    "expiry compared the wrong way": ("lease_longer_by_an_instant",),
    "heartbeat revives an expired lease": ("dead_lease_revived",),
    "retry after unknown under a new append id": (
        "resent_under_another_id",
        "retried_under_a_new_id",
    ),
    "unknown treated as failure": ("unknown_taken_for_failure",),
    "unknown treated as success": ("unknown_taken_for_success", "unknown_is_success"),
    "apply before durable completion": (
        "state_cached_before_committed",
        "performed_before_committed",
    ),
    "apply twice on conflict retry": ("applied_twice", "conflict_believed_after_resending"),
    "plan outside the apply append": ("successor_not_in_the_append",),
    "terminal not re-checked": ("end_not_checked",),
    "approve key not bound to its boundary": ("key_bound_to_the_run", "gate_answered_twice"),
    "compensation in forward order": ("forward_order", "undone_in_the_order_done"),
    "compensation restarts from the top": ("restart_from_the_top", "callback_called_twice"),
    "failing step compensated": ("failing_step_undone",),
    "checkpoint without hash": ("checkpoint_without_digest",),
    "checkpoint from a newer revision used": ("checkpoint_of_another_run",),
    "raw driver error to the caller": ("driver_error_to_the_caller",),
    "incompatible worker fails the run": ("newer_run_taken_for_damaged",),
    "no claim bound": ("lost_attempt_delivered_for_ever", "takeover_from_the_row"),
    "commits not durable by default": ("commits_not_durable",),
    "index updated outside the append": ("index_changed_outside_the_append",),
    "replay ignores irreversible": ("guard_forgotten", "guard_for_irreversible_only"),
    "redaction misses nested lists": ("lists_not_redacted",),
    "token in repr": ("token_in_repr",),
    "corrupt row skipped silently": ("damaged_row_skipped",),
    "one corrupt run stops the others": ("damaged_run_not_set_aside",),
    "attempt number bumped on re-claim": ("number_bumped_on_reclaim",),
    "loop step gets the same key": ("visits_share_a_key",),
    "rest detection ignores what is open": ("end_beside_an_open_gate", "end_forgotten"),
    "result lost when its append conflicts": ("conflict_taken_for_success",),
    "join released early": ("join_planned_early",),
    "join released twice": ("join_released_twice",),
    "early message lost": ("early_message_lost",),
    "command done again on repetition": ("repetition_done_again", "key_not_looked_up"),
    "urgent work waits behind a long run": (
        "urgency_compared_the_wrong_way",
        "sight_believed_for_ever",
    ),
}


class _Broken(Exception):
    """The checker found a rule broken."""


def main(arguments: Sequence[str]) -> int:
    """Look, print, perhaps write; the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/planted_bugs.py")
    parser.add_argument("--write", action="store_true", help="the table into specs/planted-bugs.md")
    options = parser.parse_args(arguments)
    found = _told()
    known = {name for ours in KNOWN.values() for name in ours}
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        for plant, by in pool.imap_unordered(_looked_for, sorted(known), chunksize=1):
            found[plant] += by
            print(f"{plant}: {', '.join(found[plant]) or 'found by nothing'}", flush=True)
    if options.write:
        _write(found)
    missed = sorted(name for ours in KNOWN.values() for name in ours if not found.get(name))
    missed += [plant for plant, by in found.items() if not by]
    for plant in missed:
        print(f"nothing finds {plant}", file=sys.stderr)
    return 1 if missed else 0


def _told() -> defaultdict[str, list[str]]:
    """Which bugs the tests of machines and search say they find."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for title, test in MACHINES.items():
        for plant in _plants(test):
            found[plant.__name__].append(f"machine: {title}")
    for plant, family, _ in import_module("explore.test_planted").PLANTS:
        found[plant.__name__].append(f"search: {family.name}")
    for plant, _ in wider_bugs.WIDER:
        found.setdefault(plant.__name__, [])
    return found


def _plants(test: str) -> Iterable[Plant]:
    module, _, function = test.partition(".")
    (mark,) = getattr(import_module(f"machines.{module}"), function).pytestmark
    plants: Iterable[Plant] = mark.args[1]
    return plants


def _by_name() -> dict[str, Plant]:
    planted = import_module("explore.test_planted").PLANTS
    every = [plant for test in MACHINES.values() for plant in _plants(test)]
    every += [plant for plant, *_ in (*planted, *wider_bugs.WIDER)]
    return {plant.__name__: plant for plant in every}


def _looked_for(name: str) -> tuple[str, list[str]]:
    """What else finds a bug; in a process of its own."""
    os.chdir(ROOT)
    logging.disable(logging.CRITICAL)
    plant, folders = _by_name()[name], {p.__name__: tests for p, tests in wider_bugs.WIDER}
    tests = folders.get(name, "tests/core")
    by: list[str] = []
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        plant(patch)
        options = ["-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        if pytest.main([*options, tests]) == pytest.ExitCode.TESTS_FAILED:
            by.append(f"unit tests: {tests.removeprefix('tests/')}")
        if _checker_finds():
            by.append("checker")
    return name, by


def _checker_finds() -> bool:
    """Whether a random play with the bug in breaks a rule; the bug may also stop the play."""

    @settings(
        max_examples=200,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(plays())
    def judged(run: Scenario) -> None:
        try:
            assert_run_clean(run)
        except AssertionError as broken:
            raise _Broken from broken

    try:
        judged()
    except _Broken:
        return True
    except (AssertionError, RuntimeError):
        return False
    return False


def _write(found: Mapping[str, Sequence[str]]) -> None:
    numbered = [
        f"| {number} | {title} | {', '.join(f'`{name}`' for name in ours)} "
        f"| {'; '.join(dict.fromkeys(by for name in ours for by in found.get(name, ())))} |"
        for number, (title, ours) in enumerate(KNOWN.items(), start=1)
    ]
    listed = {name for ours in KNOWN.values() for name in ours}
    others = [f"| `{name}` | {'; '.join(by)} |" for name, by in found.items() if name not in listed]
    lines = [
        _MARK,
        "",
        f"{len(found)} bugs; {sum(len(set(_kinds(by))) > 1 for by in found.values())} of them are "
        "found by more than one kind of test.",
        "",
        "| | known from engines of this kind | planted as | found by |",
        "|--:|---|---|---|",
        *numbered,
        "",
        "| others | found by |",
        "|---|---|",
        *others,
    ]
    above = PAGE.read_text(encoding="utf-8").partition(_MARK)[0]
    PAGE.write_text(above + "\n".join(lines) + "\n", encoding="utf-8")


def _kinds(by: Sequence[str]) -> Iterable[str]:
    return (found.partition(":")[0] for found in by)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
