"""Rules about stored appends: what they hold is right, how they are stored is not."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from attrs import evolve

from squidmesh_core.checker import RULES, Rule, check_run
from squidmesh_core.checker.journal import MOST_BYTES
from squidmesh_core.ids import AppendId, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, link, origin
from squidmesh_core.protocol.entries import AttemptHeartbeat
from support.journals.plain import chained, taken_over
from support.journals.writing import bind
from support.scenario import RUN, SECOND

Stored = Sequence[AppendRecord]


def stored() -> Stored:
    """The first three appends of a run, the last one a heartbeat."""
    return bind(chained().pages[:3])


def last(**changes: Any) -> Callable[[Stored], Stored]:
    """The last append is stored otherwise."""
    return lambda records: [*records[:-1], evolve(records[-1], **changes)]


def last_body(change: Callable[[str], str]) -> Callable[[Stored], Stored]:
    """The last append has another body, and the hash that it asks for."""

    def harm(records: Stored) -> Stored:
        body = change(records[-1].body)
        linked = link(records[-2].hash, body)
        return [*records[:-1], evolve(records[-1], body=body, hash=linked)]

    return harm


HARMS: dict[str, tuple[Rule, Callable[[Stored], Stored]]] = {
    "a gap": ("J1", last(first=Revision(6), last=Revision(6))),
    "an append that ends before it begins": ("J1", lambda r: [*r, evolve(r[0], first=Revision(6))]),
    "a missing append": ("J1", lambda r: [r[0], r[2]]),
    "an append of another run": ("J1", last(run_id=RunId("another"))),
    "another hash": ("J2", last(hash="0" * 64)),
    "a hash that is none": ("J2", lambda r: [*r[:-2], evolve(r[-2], hash="?"), r[-1]]),
    "an altered body": ("J2", last(body="[]")),
    "a chain of another run": (
        "J2",
        lambda r: [evolve(r[0], hash=link(origin(RunId("x")), r[0].body))],
    ),
    "entries that are not counted": ("J3", last(last=Revision(6))),
    "an append twice": ("J4", last(append_id=AppendId(f"{RUN}/1"))),
    "an earlier instant": ("J5", lambda r: [*r[:-1], evolve(r[-1], at=r[0].at - SECOND)]),
    "entries of another instant": ("J5", lambda r: [*r[:-1], evolve(r[-1], at=r[-1].at + SECOND)]),
    "spaces": ("J6", last_body(lambda body: body.replace(",", ", "))),
    "another order": ("J6", last_body(lambda body: '[{"v":1,' + body[2:].replace(',"v":1', ""))),
    "no text of Unicode": ("J2", last(body="\ud800")),
    "no JSON": ("J6", last_body(lambda _: "[")),
    "no list": ("J6", last_body(lambda _: "{}")),
    "no entry": ("J6", last_body(lambda _: "[]")),
    "too deep a body": ("J6", last_body(lambda _: "[" * 100_000)),
    "an unknown type": ("J6", last_body(lambda body: body.replace("heartbeat", "wink"))),
    "a later version": ("J6", last_body(lambda body: body.replace('"v":1', '"v":9'))),
    "a missing member": ("J6", last_body(lambda body: body.replace('"claim_id"', '"claim"'))),
}


@pytest.mark.parametrize(("rule", "harm"), HARMS.values(), ids=HARMS.keys())
def test_harm_to_an_append_is_named(rule: Rule, harm: Callable[[Stored], Stored]) -> None:
    """Whatever else it looks like, the rule that was broken is among those found."""
    found = check_run(harm(stored())).violations

    assert rule in {one.rule for one in found}
    assert all(one.rule in RULES and one.message and one.revision for one in found)


def test_unharmed_appends_are_clean() -> None:
    """The same appends as they are stored keep every rule."""
    report = check_run(stored(), chained().spec)

    assert (True, 5, 1) == (report.clean, report.entries, report.runs)


def test_no_appends_are_no_run() -> None:
    """There is nothing wrong with nothing."""
    assert 0 == check_run([]).runs


def test_a_harmed_hash_is_one_violation_for_each_row_that_it_links() -> None:
    """The row whose hash it is, and the row that was chained to the right one."""
    records = [evolve(one, hash="0" * 64) if i == 1 else one for i, one in enumerate(stored())]

    assert [(Revision(4), f"{RUN}/2"), (Revision(5), f"{RUN}/3")] == [
        (one.revision, one.details["append_id"]) for one in check_run(records).violations
    ]


def test_an_oversized_entry_is_found() -> None:
    """J6: an entry of more than 4 MiB is none that the runtime would write."""
    run = chained()
    beat = run.pages[2][0]
    assert isinstance(beat, AttemptHeartbeat)
    texts = {str(number): "x" * 2**20 for number in range(1 + MOST_BYTES // 2**20)}
    report = check_run(bind([*run.pages[:2], [evolve(beat, progress=texts)]]))

    assert {"J6"} == report.rules


def test_a_fencing_token_that_does_not_rise_is_found() -> None:
    """C5: two claims at one revision, which J1 does not allow either."""
    records = list(bind(taken_over().pages[:3]))
    records[2] = evolve(records[2], first=records[1].first, last=records[1].last)

    assert {"C5", "J1"} == check_run(records).rules
