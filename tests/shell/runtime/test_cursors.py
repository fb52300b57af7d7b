"""A cursor goes on in the list that gave it out, and in no other."""

from datetime import timedelta

import pytest

from squidmesh import ConfigError, Mesh, Page, Run
from squidmesh.views.filtering import RunFilters
from support.stage import EPOCH, Stage, does
from support.workflows import chain, step

ONE = chain(step("a", output="a"))


def listed(stage: Stage) -> tuple[Mesh, Page[Run]]:
    """Three runs, and the first page of those with a tag."""
    mesh, actions = stage.mesh(), does(a=lambda: 1)
    for _ in range(3):
        mesh.start_spec(ONE, "placed", {}, actions=actions, tags=("vip",))
        stage.clock.advance(1)
    return mesh, mesh.runs(limit=1, tag="vip")


@pytest.mark.parametrize(
    "filters", [{}, {"tag": "vap"}, {"tag": "vip", "status": "running"}, {"text": "vip"}]
)
def test_a_cursor_of_another_filter_is_refused(stage: Stage, filters: RunFilters) -> None:
    """It would skip runs that nobody has seen."""
    mesh, page = listed(stage)

    with pytest.raises(ConfigError) as caught:
        mesh.runs(limit=1, cursor=page.next, **filters)

    assert ("invalid_cursor", 708) == (caught.value.code, caught.value.sm)
    assert "other_filter" == caught.value.details["reason"]


def test_a_cursor_of_runs_is_none_of_the_inbox(stage: Stage) -> None:
    """Unless it lists the same runs: those that wait for people."""
    mesh, page = listed(stage)

    with pytest.raises(ConfigError):
        mesh.approvals(cursor=page.next)
    for run in mesh.runs().items:
        mesh.pause(run, by="ana")
    first = mesh.runs(limit=2, status="paused")

    assert 1 == len(mesh.approvals(cursor=first.next).items)


def test_an_age_may_move_on_between_two_pages(stage: Stage) -> None:
    """`--since 90m` is another instant each time that it is typed."""
    mesh, page = listed(stage)
    later = EPOCH - timedelta(hours=1)

    assert 1 == len(mesh.runs(limit=1, tag="vip", cursor=page.next, since=later).items)
