"""The filters of `squidmesh runs`, for commands on whatever these let through."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar, cast

import click

from squidmesh.cli.commands.runs import command as runs
from squidmesh.cli.session import find_run
from squidmesh.mesh import Mesh
from squidmesh.views.filtering import RunFilters

C = TypeVar("C", bound=Callable[..., object])

#: Option → the same option of `runs`.
_FILTERS: Final[Mapping[str, click.Parameter]] = {
    param.name: param for param in runs.params if param.name in RunFilters.__optional_keys__
}


def filter_options(command: C) -> C:
    """Give a command every filter of `runs`."""
    # click keeps the parameters of a command here until the command is made.
    known = cast("list[click.Parameter]", command.__dict__.setdefault("__click_params__", []))
    known.extend(reversed(list(_FILTERS.values())))
    return command


def filters_of(run: str | None, options: Mapping[str, object]) -> RunFilters:
    """
    Those of the options that are filters, and were typed.

    Raises:
        click.UsageError: Neither a run nor a filter is there, or both are.
    """
    given = {name: options[name] for name in _FILTERS if options.get(name) is not None}
    if run is None and not given:
        raise click.UsageError("name a RUN, or filter the runs: --workflow, --status, --tag, …")
    if run is not None and (given or options["limit"] is not None):
        raise click.UsageError("either name a RUN, or filter the runs; not both")
    return cast("RunFilters", given)


def resolved(mesh: Mesh, filters: RunFilters) -> RunFilters:
    """
    The same with whole ids.

    Raises:
        RunNotFound: No run, or more than one, is meant by the parent.
    """
    parent = filters.get("parent")
    return filters if parent is None else {**filters, "parent": find_run(mesh, parent)}
