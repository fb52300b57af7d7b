"""The checker is for damaged journals, so it must survive them all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squidmesh_core.checker import check_run, check_store
from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.entries import Entry
from support.checking import assert_clean
from support.entries import OTHER_RUN, RUN, histories
from support.journals.plain import chained
from support.journals.writing import bind
from support.workflows import diamond, log, route, step, wait, workflow

BY_ROUTES = workflow(
    step("charge", max_visits=1),
    log("ship"),
    wait("reserve", 5),
    routes=(route("charge", "ship"), route("charge", "reserve", on="error")),
)
BY_DEPENDENCIES = workflow(
    step("charge"), step("ship", after=("charge",)), step("reserve", after=("ship",))
)


@given(
    histories(),
    histories(OTHER_RUN),
    st.sampled_from([None, BY_ROUTES, BY_DEPENDENCIES, diamond()]),
    st.data(),
)
def test_any_history_gets_a_report(
    history: tuple[Entry, ...], other: tuple[Entry, ...], spec: Spec | None, data: st.DataObject
) -> None:
    """Possible or not, entries are read to the last and nothing is raised."""
    cuts = sorted(data.draw(st.sets(st.integers(1, 12), max_size=4)))
    pages = [history[a:b] for a, b in zip([0, *cuts], [*cuts, 99], strict=True) if history[a:b]]
    records, others = bind(pages), bind([[entry] for entry in other], OTHER_RUN)

    assert len(history) == check_run(records, spec).entries
    definitions = {} if spec is None else {spec.fingerprint: spec}
    together = check_store({RUN: records, OTHER_RUN: others}, definitions)
    assert len(history) + len(other) == together.entries


def test_an_assertion_names_what_is_broken() -> None:
    """`assert_clean`, which other tests end with, says rule, revision and reason."""
    run = chained()
    entries = [entry for page in run.pages for entry in page]
    ends = [page[-1].revision for page in run.pages]

    assert_clean(entries, run.spec, ends=ends)
    with pytest.raises(AssertionError, match="P8 at 13: "):
        assert_clean(entries[:-1], run.spec, ends=[*ends[:-1], 13])
