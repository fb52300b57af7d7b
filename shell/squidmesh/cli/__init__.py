"""
The command line: `squidmesh`, and `python -m squidmesh`.

    root         the group of commands, and what ends it: exit codes
    options      the options that every command has
    session      what a command works with: settings, screen, application
    application  from `module:name` and a URL to a mesh
    naming       what arguments name, and how a shell completes it
    screen       printing for people, for pipes, for programs
    tables       tables that fit a terminal of any width
    commanding   foresee, ask, do, tell: one run; `bulking`: many
    documents    records as JSON, with what is sensitive masked
    targets      what `run` and `start` begin
    collecting   the garbage collector of a process of the command line's own
    commands/    one module for each command

click and rich load with the first command that needs them, never with
`import squidmesh`.  A command imports what it needs and no more: it is gone in the
blink of an eye, most of which is imports (see `squidmesh.mesh` for the rule).
"""

import sys


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    from squidmesh.cli import collecting

    collecting.begin()
    from squidmesh.cli.root import run

    sys.exit(run(sys.argv[1:]))
