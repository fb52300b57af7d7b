"""The options that every command has, turned into one `Session`."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, cast

import click

from squidmesh.cli.screen import Color, Screen
from squidmesh.cli.session import Session
from squidmesh.config import TIME_STYLES, TimeStyle, read_config

P = ParamSpec("P")
#: A command gets the session and its own options, and returns an exit code.
Body = Callable[Concatenate[Session, P], int]


def common(body: Body[P]) -> Callable[..., int]:
    """Give a command the common options, and a session made of them."""

    @functools.wraps(body)
    def command(*args: object, **options: object) -> int:
        time = cast("TimeStyle | None", options.pop("time"))
        config = read_config(
            app=cast("str | None", options.pop("app")),
            url=cast("str | None", options.pop("url")),
            time=time,
            environ=os.environ,
            folder=Path.cwd(),
        )
        screen = Screen(
            as_json=bool(options.pop("as_json")),
            lines=bool(options.pop("as_lines")),
            color=cast("Color", options.pop("color")),
            time=config.time if time is None else time,
        )
        call = cast("Callable[..., int]", body)
        return call(Session(config=config, screen=screen), *args, **options)

    for option in reversed(_COMMON):
        command = option(command)
    return command


_COMMON: Final = (
    click.option(
        "--app",
        metavar="MODULE:NAME",
        help="A Mesh, a function returning one, a module of workflows, or a workflow.",
    ),
    click.option("--url", metavar="URL", help="The journal, such as sqlite:///orders.db."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON for programs."),
    click.option(
        "--jsonl", "as_lines", is_flag=True, help="The same in lines: one for each that is listed."
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colours; auto also honours NO_COLOR.",
    ),
    click.option(
        "--time",
        type=click.Choice(TIME_STYLES),
        help="How instants are shown: relative on a terminal and iso elsewhere, unless set.",
    ),
)
