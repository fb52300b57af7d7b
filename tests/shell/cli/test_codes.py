"""`help` knows every code that the product can give: collected from the sources themselves."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import squidmesh
import squidmesh_core
import squidmesh_storage
from squidmesh.cli.meanings import MEANINGS, UNNUMBERED
from squidmesh_core import errors
from squidmesh_core.plan.routes import NoRoute
from support.commands import Typed

PACKAGES = [
    Path(str(one.__file__)).parent for one in (squidmesh_core, squidmesh_storage, squidmesh)
]
#: An application and tests that travel with the packages have codes of their own.
OTHERS = {"demo", "conformance"}
#: What a code is the second argument of.
RAISED = {name for name, kind in vars(errors).items() if isinstance(kind, type)} | {"refused"}


def words(node: ast.expr, names: dict[str, str]) -> Iterator[str]:
    """The texts that an argument can be, as far as the module itself says it."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) if name in names:
            yield names[name]
        case ast.IfExp(body=body, orelse=otherwise):
            yield from words(body, names)
            yield from words(otherwise, names)
        case _:
            pass  # handed on from where it is said


def constants(tree: ast.Module) -> dict[str, str]:
    """The texts that a module names."""
    found = {}
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                found[name] = text
            case _:
                pass  # names no text
    return found


def codes_in(file: Path) -> Iterator[str]:
    """The codes and kinds that a module raises, refuses or records with."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if called in RAISED and len(node.args) > 1:
            yield from words(node.args[1], names)
        for keyword in node.keywords:
            if keyword.arg == "code" or (keyword.arg == "kind" and called == "Failure"):
                yield from words(keyword.value, names)


def all_codes() -> set[str]:
    """Those of the whole product."""
    files = [file for package in PACKAGES for file in package.rglob("*.py")]
    return {
        code
        for file in files
        if OTHERS.isdisjoint(file.parts)
        for code in codes_in(file)
        if not code[0].isupper()  # the name of a class is no code
    }


def test_the_sources_say_codes() -> None:
    """Of every layer, however they are written; so the tests below are not empty."""
    expected = {
        "invalid_transition", "stale_claim", "unreachable_step", "invalid_signal",  # core
        "run_quarantined", "storage_unavailable", "schema_behind",  # storage
        "invalid_option", "ambiguous_run_id", "invalid_bundle", "usage",  # shell
        "timed_out", "worker_lost", "invalid_output",  # kinds
    }  # fmt: skip

    assert expected <= all_codes()
    assert 100 < len(all_codes())


def test_every_code_of_the_sources_has_a_meaning() -> None:
    """A new code comes with what it means and what to do."""
    assert set() == all_codes() - MEANINGS.keys() - UNNUMBERED.keys()


def test_routes_that_lead_nowhere_have_a_meaning() -> None:
    """Their kinds are a type of the core's."""
    assert set() == set(get_args(NoRoute)) - UNNUMBERED.keys()


def test_help_answers_for_every_code(squidmesh: Typed) -> None:
    """By its word."""
    for code in {**MEANINGS, **UNNUMBERED}:
        said = squidmesh("help", code)
        assert (0, code) == (said.code, said.records[0][1])


def test_a_kind_without_a_number_is_told_by_its_word(on_terminal: Typed) -> None:
    """There is no number to show."""
    said = on_terminal("help", "worker_lost")

    assert ["worker_lost", UNNUMBERED["worker_lost"]] == said.out.splitlines()
