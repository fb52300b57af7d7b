"""
The exhaustive search by hand, with a table of what was searched.

    python tests/explore             the families that every change is tested with
    python tests/explore --long      all of them, some with larger bounds
    python tests/explore --long saga the families of that name only
    python tests/explore --write     all of them, and the table goes into specs/exploration.md

It ends with 1 if a rule was broken, a state is a dead end, something was never
reached, or a search was cut off.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from explore.catalogue import CI, LONG
from explore.family import Family
from explore.search import Found
from explore.searching import searched as search

#: States after which a search gives up: some 12 GB.
MOST: Final = 20_000_000
PAGE: Final = Path(__file__).parents[2] / "specs" / "exploration.md"
_MARK: Final = "<!-- written by `python tests/explore --write` from here on -->"


def main(arguments: Sequence[str]) -> int:
    """Search, print, perhaps write; the exit code."""
    parser = argparse.ArgumentParser(prog="python tests/explore")
    parser.add_argument("--long", action="store_true", help="all families, with larger bounds")
    parser.add_argument("--write", action="store_true", help="all, into specs/exploration.md")
    parser.add_argument("names", nargs="*", help="families whose name begins so")
    options = parser.parse_args(arguments)
    if options.write and options.names:
        parser.error("the page lists every family: --write takes no names")
    families = LONG if options.long or options.write else CI
    if options.names:
        families = tuple(f for f in families if f.name.startswith(tuple(options.names)))
    searched = [(family, _search(family)) for family in families]
    states, seconds = _sum(searched)
    print(f"{len(searched)} families, {states:,} states, {seconds:.0f} s")
    if options.write:
        _write(searched)
    return 0 if searched and all(found.clean for _, found in searched) else 1


def _search(family: Family) -> Found:
    found = search(family, most=MOST)
    rate = found.states / found.seconds
    print(
        f"{family.name:32} {found.states:>10,} states {found.transitions:>11,} transitions"
        f" {found.seconds:>7.1f} s {rate:>8,.0f}/s  {len(found.problems)} violations",
        flush=True,
    )
    for problem in found.problems:
        print(problem, flush=True)
    return found


def _sum(searched: Sequence[tuple[Family, Found]]) -> tuple[int, float]:
    return (
        sum(found.states for _, found in searched),
        sum(found.seconds for _, found in searched),
    )


def _write(searched: Sequence[tuple[Family, Found]]) -> None:
    lines = [
        "| family | every change | bounds | states | transitions | violations |",
        "|---|---|---|--:|--:|--:|",
    ]
    for family, found in searched:
        tested = "yes" if family in CI else ""
        lines.append(
            f"| {family.name} | {tested} | {_bounds(family)} | {found.states:,} "
            f"| {found.transitions:,} | {len(found.problems)} |"
        )
    states, seconds = _sum(searched)
    with_each = sum(found.states for family, found in searched if family in CI)
    lines += [
        "",
        f"{states:,} states in {seconds:,.0f} s on one core; {with_each:,} of them with every change.",
    ]
    above = PAGE.read_text(encoding="utf-8").partition(_MARK)[0]
    PAGE.write_text("\n".join([above + _MARK, "", *lines, ""]), encoding="utf-8")


def _bounds(family: Family) -> str:
    orders = sum(len(orders) for orders in family.clients)
    parts = [
        f"{family.workers} workers" if family.workers > 1 else "1 worker",
        f"{len(family.clients)} clients with {orders} commands" if orders else "",
        f"{family.faults} faults" if family.faults else "",
        f"{family.extras} extras" if family.extras else "",
        f"{family.slots} slots" if family.slots > 1 else "",
    ]
    return ", ".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
