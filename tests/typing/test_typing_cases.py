"""
What a host's type checker sees, and what the class body says when nobody asked it.

`cases/` holds small host programs.  Six must check and compile; each `m…`
file has one mistake, on the line marked `# MISTAKE`, and says in its header
who reports it and how.
"""

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

from squidmesh import DefinitionError, PayloadError, Workflow

CASES = Path(__file__).parent / "cases"
GOOD = ("billing", "good", "more", "orders", "service", "unions")
MISTAKES = tuple(sorted(path.stem for path in CASES.glob("m[0-9][0-9]_*.py")))


@frozen(kw_only=True)
class Case:
    """What the header of a case promises."""

    line: int
    mypy: str
    class_body: str


def case(name: str) -> Case:
    """Read a header."""
    text = (CASES / f"{name}.py").read_text()
    header = dict(re.findall(r"^# expect-([a-z-]+): (.*)$", text, re.MULTILINE))
    (line,) = (n for n, row in enumerate(text.splitlines(), 1) if row.endswith("# MISTAKE"))
    return Case(line=line, mypy=header["mypy"], class_body=header["class-body"])


@cache
def mypy_reports() -> tuple[tuple[str, int, str], ...]:
    """What mypy strict says of all cases: file, line and code of each error."""
    files = sorted(f"{name}.py" for name in (*GOOD, *MISTAKES))
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-pretty"),
            *("--follow-imports=silent", "--hide-error-context", "--cache-dir"),
            *(str(CASES.parents[2] / ".mypy_cache" / "typing-cases"), *files),
        ],
        cwd=CASES,
        env={**os.environ, "MYPYPATH": str(CASES), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    found = re.findall(r"^(\w+)\.py:(\d+): error: .*\[([a-z-]+)\]$", run.stdout, re.MULTILINE)
    return tuple((name, int(line), code) for name, line, code in found)


@pytest.fixture
def _cases_on_the_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the cases import each other, and forget them afterwards."""
    monkeypatch.syspath_prepend(str(CASES))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) & set(GOOD) - before:
        del sys.modules[name]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", GOOD)
def test_good_programs_check(name: str) -> None:
    """mypy strict has nothing to say of programs that are right."""
    reports = [report for report in mypy_reports() if report[0] == name]

    assert [] == reports


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MISTAKES)
def test_mypy_reports_the_mistake(name: str) -> None:
    """mypy strict reports a mistake on its own line, or is known not to see it."""
    expected = case(name)
    codes = {code for file, line, code in mypy_reports() if file == name and line == expected.line}

    assert (set() if expected.mypy == "none" else {expected.mypy}) == codes


def test_thirteen_of_fifteen_mistakes_are_the_checkers() -> None:
    """Only `and` for `&` and an unreachable step are left to the class body."""
    unseen = [name for name in MISTAKES if case(name).mypy == "none"]

    assert (15, ["m13_and_for_ampersand", "m14_unreachable"]) == (len(MISTAKES), unseen)


@pytest.mark.usefixtures("_cases_on_the_path")
@pytest.mark.parametrize("name", [name for name in MISTAKES if not name.startswith("m12")])
def test_the_class_body_reports_the_mistake(name: str) -> None:
    """Running the file reports the mistake as its header says, with its line."""
    expected = case(name)
    promised = expected.class_body

    with pytest.raises((DefinitionError, NameError, TypeError)) as caught:
        runpy.run_path(str(CASES / f"{name}.py"), run_name=name)

    error = caught.value
    if not isinstance(error, DefinitionError):
        assert promised.startswith(type(error).__name__)
        assert expected.line in {entry.lineno + 1 for entry in caught.traceback}
        return
    (problem,) = error.problems
    numbers = re.match(r"SM(\d+) (\w+)(?:, suggests '(\w+)')?", promised)
    assert numbers is not None, promised
    sm, code, suggested = numbers.groups()
    assert (code, int(sm)) == (error.code, error.sm)
    assert f"{name}.py" in str(getattr(problem, "file", ""))
    assert expected.line == getattr(problem, "line", None)
    assert suggested is None or f"'{suggested}'" in error.message


@pytest.mark.usefixtures("_cases_on_the_path")
def test_a_payload_of_another_contract_is_refused() -> None:
    """What no class body can see is refused at the call, before anything is written."""
    from squidmesh.authoring.triggers import payload_of

    orders = runpy.run_path(str(CASES / "orders.py"), run_name="orders")
    payment = orders["Payment"]("pay_1", 900)

    with pytest.raises(PayloadError) as caught:
        payload_of(orders["OrderFulfilment"].placed, payment)

    assert "invalid_payload" == caught.value.code


@pytest.mark.usefixtures("_cases_on_the_path")
def test_every_class_compiles_to_its_spec() -> None:
    """The compiled specs are the ones written down, member by member."""
    modules = [__import__(name) for name in ("orders", "more", "good")]
    good = modules[-1]
    classes = [
        *(value for module in modules for value in vars(module).values()),
        *(good.define_locally(), good.build(["a", "b"])),
    ]
    compiled = {
        value.spec.workflow: value.spec.to_dict()
        for value in classes
        if isinstance(value, type) and issubclass(value, Workflow) and value.nodes
    }
    written = json.loads((CASES / "good.specs.json").read_text())
    orders = json.loads((CASES / "orders.spec.json").read_text())

    assert {**written, orders["workflow"]: orders} == compiled
