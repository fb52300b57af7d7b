"""
An explanation as text: aligned, and wrapped at a width.

    RUN …  OrderFulfilment  paused since 14:02:00Z (38 min ago)
    Waiting for a decision on 'review': High risk. Ship anyway?
    Why here     …
    You may      approve 'review'   'charge' becomes visible
                                    squidmesh approve … --by NAME
    You may not  replay             it is still active (SM412)

A command is never wrapped, so that it can be copied whole.  Of very many rows the first
are drawn: the record has all.  What would move a cursor or
reorder a line is written out: questions and errors come from outside.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from squidmesh_core.errors import MOST_NAMED, NUMBERS, enumerated
from squidmesh_core.views.explanation.records import Action, Explanation, RefusedAction
from squidmesh_core.views.words import filled, moment, printable

_LABELS: Final = ("Why here", "You may", "You may not")
#: Where the text of a row begins.
_INDENT: Final = max(map(len, _LABELS)) + 2
#: Spans in brackets are not torn apart: `(38 min ago)`.
_HOLDS_TOGETHER: Final = re.compile(r"\([^()]{1,24}\)")
_HARD: Final = "\xa0"
#: Columns below which nothing is aligned any more.
_NARROWEST: Final = 40
#: Rows below one label that are drawn.
_MOST_ROWS: Final = 30


def laid_out(explanation: Explanation, width: int) -> str:
    """All of it; lines end without blanks, the last one with a newline."""
    width = max(width, _NARROWEST)
    lines = [
        *_wrapped(_heading(explanation), width),
        *_wrapped(explanation.summary, width),
        *_facts(explanation.why, width),
        *_possible(explanation.next_actions, width),
        *_refused(explanation, width),
    ]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _heading(explanation: Explanation) -> str:
    run, since = explanation.run, explanation.since
    version = f" {run.version}" if run.version else ""
    when = f" since {moment(since, explanation.at, explanation.zone)}" if since else ""
    told = explanation.reason in {"terminal", "compensating"}  # the status says the same
    reason = "" if told else f", {explanation.reason}"
    return f"RUN {run.id}  {run.workflow}{version}  {explanation.status}{reason}{when}"


def _facts(why: Sequence[str], width: int) -> Iterator[str]:
    for number, line in enumerate(why[:_MOST_ROWS]):
        label = _LABELS[0] if number == 0 else ""
        yield from _row(label, line, width)
    yield from _left_out(len(why) - _MOST_ROWS)


def _possible(actions: Sequence[Action], width: int) -> Iterator[str]:
    drawn = [*_first_of_each(actions)]
    names = [_named(one.name, one.node) for one in drawn]
    # A longer one has a line of its own, so that one long name does not push all else away.
    longest = (width - _INDENT) // 2
    column = max((len(name) for name in names if len(name) <= longest), default=0) + 2
    for number, (one, name) in enumerate(zip(drawn, names, strict=True)):
        label = _LABELS[1] if number == 0 else ""
        head = f"{label:<{_INDENT}}{name:<{column}}"
        if len(head) > _INDENT + column:
            yield head
            head = " " * (_INDENT + column)
        warned = one.effect if one.safe else f"(!) {one.effect}"
        yield from _wrapped(f"{head}{warned}", width, len(head))
        yield f"{' ' * len(head)}{printable(one.command)}"
    yield from _left_out(len(actions) - len(drawn))


def _first_of_each(actions: Sequence[Action]) -> Iterator[Action]:
    """Not all that differ only by their node: what else may be done stays in sight."""
    drawn = Counter[str]()
    for one in actions:
        drawn[one.name] += 1
        if drawn[one.name] <= MOST_NAMED:
            yield one


def _refused(explanation: Explanation, width: int) -> Iterator[str]:
    """Those that are refused for the same reason in one row."""
    rows: dict[str, list[str]] = {}
    for one in explanation.refused_actions:
        if not _is_beside(explanation, one):
            rows.setdefault(_said(explanation, one), []).append(_named(one.name, one.node))
    for number, (said, names) in enumerate(islice(rows.items(), _MOST_ROWS)):
        label = _LABELS[2] if number == 0 else ""
        yield from _row(label, f"{enumerated(names)}: {said}", width)
    yield from _left_out(len(rows) - _MOST_ROWS)


def _left_out(count: int) -> Iterator[str]:
    """How many rows are not drawn."""
    if count > 0:
        yield f"{' ' * _INDENT}… and {count} more"


def _is_beside(explanation: Explanation, one: RefusedAction) -> bool:
    """Whether nobody would think of it here, so that its refusal is only data."""
    over = explanation.reason in {"terminal", "run_quarantined", "newer_entries"}
    match one.name:
        case "abandon":
            return True
        case "retry_compensation":
            return not explanation.details.get("recovery")
        case "approve" | "reject" | "resume" | "cancel_and_undo":
            return not over and one.code != "compensating"
        case _:
            return False


def _said(explanation: Explanation, one: RefusedAction) -> str:
    why = one.message.removeprefix(f"run {explanation.run.id}: ").removesuffix(
        "; nothing was written"
    )
    number = NUMBERS.get(one.code)
    return f"{why} ({f'SM{number}' if number else one.code})"


def _named(name: str, node: str | None) -> str:
    spoken = name.replace("_", " ")
    return printable(f"{spoken} {node.rpartition(':')[2]!r}" if node else spoken)


def _row(label: str, text: str, width: int) -> Iterator[str]:
    yield from _wrapped(f"{label:<{_INDENT}}{text}", width, _INDENT)


def _wrapped(text: str, width: int, keep: int = 0) -> Iterator[str]:
    """The text in lines of a width; its first characters are columns, and the rest stays in them."""
    whole = _HOLDS_TOGETHER.sub(lambda found: found[0].replace(" ", _HARD), printable(text[keep:]))
    for number, line in enumerate(filled(whole, max(width - keep, _NARROWEST // 2))):
        yield f"{text[:keep] if number == 0 else ' ' * keep}{line.replace(_HARD, ' ')}"
