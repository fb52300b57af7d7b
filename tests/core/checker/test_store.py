"""Rules that need more than one run: each run is clean by itself, together they are not."""

from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from squidmesh_core.checker import RULES, Report, Rule, check_store
from squidmesh_core.ids import AppendId, ClaimId, NodeName, RunId, child_run_id, derived_run_id
from squidmesh_core.protocol.entries import (
    AttemptClaimed,
    Parent,
    Reused,
    RunSignalReceived,
    RunStarted,
    StepApplied,
)
from support.journals import families, plain, sagas
from support.journals.changing import Change, edit, renumbered
from support.journals.families import COPY
from support.journals.writing import Writing, bind
from support.scenario import RUN
from support.workflows import diamond


def checked(*runs: Writing) -> Report:
    """What the checker says of a store with these runs."""
    report = check_store(
        {run.run_id: bind(run.pages, run.run_id) for run in runs},
        {run.spec.fingerprint: run.spec for run in runs},
    )
    ids = {run.run_id for run in runs}
    for found in report.violations:
        assert (found.rule in RULES, found.run_id in ids) == (True, True)
        assert found.revision
        assert found.message
    return report


def changed(run: Writing, *changes: Change) -> Writing:
    """A run after some harm."""
    for change in changes:
        change(run)
    return run


def another(claim: str = "", token: str = "") -> Writing:
    """A second run of the same workflow, perhaps with the first one's claim or token."""
    run = Writing(plain.chained().spec, COPY)
    run.begin(run.scheduled("a"))
    held = run.claimed("a:1")
    run.page(
        evolve(
            held,
            claim_id=ClaimId(claim) if claim else held.claim_id,
            claim_token_hash=token or held.claim_token_hash,
        )
    )
    return run


def test_a_replay_outlives_its_pruned_source() -> None:
    """Of a source nothing is left to compare with, and that is no fault of the replay."""
    source = families.finished()
    source.pages = [[families.left_of(source)]]
    renumbered(source)

    assert () == checked(source, families.forked()).violations


def test_a_tombstone_needs_its_definition() -> None:
    """The answer to the same start names it, so it must be there."""
    left = families.pruned()
    report = check_store({left.run_id: bind(left.pages, left.run_id)}, {})

    assert {"C10"} == report.rules


def test_of_a_pruned_run_nothing_is_to_be_entered() -> None:
    """Where steps depend on steps, those that depend on none are not missed in a tombstone."""
    left = Writing(diamond(), derived_run_id("orders", "placed", "order-1"))
    left.page(families.left_of(left))

    assert () == checked(left).violations


def descendants(count: int) -> Sequence[Writing]:
    """A run, its child, the child's child and so on."""
    spec = families.child().spec
    runs = [Writing(spec)]
    runs[0].begin(runs[0].scheduled("a"))
    for _ in range(count):
        above = runs[-1].run_id
        run = Writing(spec, child_run_id(above, "each", spec.workflow, "placed", "1"))
        parent = Parent(run_id=above, step=NodeName("each"), child_key="1")
        run.page(run.receipt("start"), run.started({}, parent=parent), run.scheduled("a"))
        runs.append(run)
    return runs


@pytest.mark.parametrize("copy", [families.replayed, families.forked], ids=["replayed", "forked"])
def test_a_run_made_of_another_is_clean_beside_it(copy: Callable[[], Writing]) -> None:
    """The copy says where it comes from, and repeats nothing that nobody allowed."""
    assert () == checked(families.finished(), copy()).violations


def test_what_is_undone_once_more_is_clean_beside_its_source() -> None:
    """Only what was left over is brought along."""
    assert () == checked(sagas.undone(), families.undone_again()).violations


@pytest.mark.parametrize(
    "harm",
    [
        edit(RunSignalReceived, lambda e: evolve(e, payload={"allow_irreversible": "true"})),
        edit(RunStarted, lambda e: evolve(e, input={"amount": 6})),
        edit(RunStarted, lambda e: evolve(e, trigger="another")),
        edit(StepApplied, lambda e: evolve(e, reused_from=Reused(run_id=RUN, value=7))),
    ],
    ids=["not allowed", "another input", "another trigger", "another result"],
)
def test_a_copy_that_differs_from_its_source_is_found(harm: Change) -> None:
    """I4, as only the source shows it."""
    found = checked(families.finished(), changed(families.forked(), harm)).violations

    assert ["I4"] == [one.rule for one in found]
    assert all(one.message for one in found)


def test_a_replay_that_nobody_allowed_is_found() -> None:
    """I4: what has a callback may be done again, what cannot be undone may not."""
    copy = changed(families.replayed(), edit(RunSignalReceived, lambda e: evolve(e, payload={})))

    assert ["nobody allowed ['b'] to be done again"] == [
        violation.message for violation in checked(families.finished(), copy).violations
    ]


def test_a_present_definition_may_add_to_the_input() -> None:
    """A replay under the present definition gets its defaults."""
    copy = changed(
        families.replayed(),
        edit(
            RunSignalReceived, lambda e: evolve(e, payload={**e.payload, "definition": "current"})
        ),
        edit(RunStarted, lambda e: evolve(e, input={"amount": 5, "note": ""})),
    )

    assert () == checked(families.finished(), copy).violations


def test_undoing_what_was_not_left_over_is_found() -> None:
    """I4: the source lists what a person must look at, and it is another step."""
    copy = Writing(sagas.undone().spec, COPY)
    handed = f"{RUN}:compensate:a:1"
    reused = Reused(run_id=RUN, value=1, input={}, undo_key=handed)
    begun = families.undone_again().pages[0]
    copy.page(
        *begun[:2],
        copy.applied("a", back=None, reused=reused),
        begun[3],
        copy.undo("a", handed=handed),
    )

    assert {"I4"} == checked(sagas.undone(), copy).rules


@pytest.mark.parametrize("what", ["claim", "token"])
def test_a_claim_of_two_runs_is_found(what: str) -> None:
    """C4: claim ids and tokens are unique in the whole store."""
    first = plain.chained()
    taken = first.pages[1][0]
    assert isinstance(taken, AttemptClaimed)
    second = another(
        **({"claim": taken.claim_id} if what == "claim" else {"token": taken.claim_token_hash})
    )

    assert {"C4"} == checked(first, second).rules
    assert () == checked(first, another()).violations


def test_an_append_of_two_runs_is_found() -> None:
    """J4: append ids are unique in the whole store."""
    run = another()
    records = [
        evolve(record, append_id=AppendId(f"{RUN}/1")) for record in bind(run.pages[:1], COPY)
    ]
    first = plain.chained()
    report = check_store({RUN: bind(first.pages), COPY: records}, {run.spec.fingerprint: run.spec})

    assert {"J4"} == report.rules


@pytest.mark.parametrize(
    ("rule", "story"),
    [("I1", families.keyed), ("I3", families.on_schedule)],
    ids=["key", "window"],
)
def test_two_runs_of_one_identity_are_found(rule: Rule, story: Callable[[], Writing]) -> None:
    """One key, or one window, has one run."""
    first = story()
    second = Writing(first.spec, COPY)
    second.pages = [
        [
            first.pages[0][0],
            first.pages[0][1],
            second.scheduled("a"),
        ]
    ]

    assert {rule} == checked(first, second).rules
    assert [rule] == [v.rule for v in checked(first, second).violations if "belongs" in v.message]


def test_eight_ancestors_are_allowed_and_nine_are_not() -> None:
    """L4."""
    assert () == checked(*descendants(8)).violations
    assert {"L4"} == checked(*descendants(9)).rules


def test_too_many_children_are_found() -> None:
    """L4: a run has at most 1,000 children."""
    parent, spec = plain.chained(), families.child().spec
    runs = []
    for number in range(1_001):
        run_id = child_run_id(parent.run_id, "each", spec.workflow, "placed", str(number))
        run = Writing(spec, run_id)
        origin = Parent(run_id=parent.run_id, step=NodeName("each"), child_key=str(number))
        run.page(run.receipt("start"), run.started({}, parent=origin), run.scheduled("a"))
        runs.append(run)

    assert () == checked(parent, *runs[:-1]).violations
    assert {"L4"} == checked(parent, *runs).rules


def test_a_missing_definition_is_found() -> None:
    """C10: a run's fingerprint names a stored definition."""
    run = plain.chained()

    [found] = check_store({RUN: bind(run.pages)}, {}).violations

    assert ("C10", RUN, 1) == (found.rule, found.run_id, found.revision)
    assert run.spec.fingerprint in found.message


@pytest.mark.parametrize(
    "body", ["[", "{}", "[1]", '[{"definition":1,"type":"run_started","v":1}]']
)
def test_a_run_that_cannot_be_read_is_no_matter_of_the_others(body: str) -> None:
    """Its harm is named, and the next run is checked."""
    run = plain.chained()
    records = [evolve(one, body=body, run_id=COPY) for one in bind(another().pages, COPY)]
    report = check_store({COPY: records, RUN: bind(run.pages)}, {run.spec.fingerprint: run.spec})

    assert {RunId(COPY)} == {violation.run_id for violation in report.violations}
    assert (14, 2) == (report.entries, report.runs)


def test_an_empty_store_is_clean() -> None:
    """Runs without appends count, and break nothing."""
    assert check_store({RUN: ()}, {}).clean
