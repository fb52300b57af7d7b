"""`squidmesh check`: everything that is wrong with the workflows, before anything runs."""

from collections.abc import Iterator, Sequence
from inspect import isclass
from types import ModuleType

import click
from attrs import frozen

from squidmesh.authoring.workflow import Workflow
from squidmesh.cli.application import load
from squidmesh.cli.exits import DONE, INVALID
from squidmesh.cli.options import common
from squidmesh.cli.screen import Cell, Screen
from squidmesh.cli.session import Session
from squidmesh.cli.text import counted
from squidmesh.mesh import Mesh
from squidmesh_core.definition.problem import Problem
from squidmesh_core.definition.spec import Spec
from squidmesh_core.definition.support import unsupported
from squidmesh_core.errors import DefinitionError


@frozen(kw_only=True)
class Finding:
    """One problem, and the workflow or module that has it."""

    where: str
    problem: Problem


@click.command("check")
@click.argument("modules", nargs=-1, metavar="[MODULE[:NAME]]...")
@common
def command(session: Session, /, *, modules: tuple[str, ...]) -> int:
    """Report everything that is wrong with the workflows of the application or of MODULEs."""
    references = modules or ((session.config.app,) if session.config.app else ())
    if not references:
        raise click.UsageError("name a module, or configure --app")
    specs: list[Spec] = []
    findings: list[Finding] = []
    for reference in references:
        try:
            found = load(reference, "module")
        except DefinitionError as error:
            problems = (one for one in error.problems if isinstance(one, Problem))
            findings += [Finding(where=reference, problem=problem) for problem in problems]
            continue
        specs += _specs(found)
    for spec in specs:
        findings += [
            Finding(where=spec.workflow, problem=problem)
            for problem in (*spec.problems(), *unsupported(spec))
        ]
    _print(session.screen, specs, findings)
    wrong = any(finding.problem.severity == "error" for finding in findings)
    return INVALID if wrong else DONE


def _specs(found: object) -> Iterator[Spec]:
    if isinstance(found, ModuleType):
        for value in vars(found).values():
            if isclass(value) and value.__module__ == found.__name__:
                yield from _specs(value)
    elif isclass(found) and issubclass(found, Workflow):
        if found.nodes:
            yield found.spec
    elif isinstance(found, Spec):
        yield found
    elif isinstance(found, Mesh):
        yield from found.workflows.values()


def _print(screen: Screen, specs: Sequence[Spec], findings: Sequence[Finding]) -> None:
    if screen.form == "json":
        workflows = [
            {"workflow": spec.workflow, "version": spec.version, "fingerprint": spec.fingerprint}
            for spec in specs
        ]
        problems = [
            {"workflow": finding.where, **finding.problem.to_dict()} for finding in findings
        ]
        screen.document("check/1", workflows=workflows, problems=problems)
        return
    if findings:
        screen.table(
            ("workflow", "where", "number", "severity", "problem"),
            [_row(finding) for finding in findings],
        )
    if screen.form == "human":
        names = ", ".join(spec.workflow for spec in specs) or "no workflow"
        wrong = sum(finding.problem.severity == "error" for finding in findings)
        verdict = counted(wrong, "problem") if wrong else "nothing is wrong"
        screen.line(f"{names}: {verdict}", "red" if wrong else "green")


def _row(finding: Finding) -> tuple[Cell, ...]:
    problem = finding.problem
    place = ".".join(map(str, problem.path))
    where = f"{problem.file}:{problem.line}" if problem.file else place
    text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    return (
        Cell.of(finding.where),
        Cell.of(where),
        Cell.of(f"SM{problem.sm}" if problem.sm else problem.code),
        Cell.of(problem.severity, "red" if problem.severity == "error" else "yellow"),
        Cell.of(text),
    )
