"""
Mutation testing of the core by hand: small changes of the code that its tests must notice.

    python tests/mutation.py                  every part of the core
    python tests/mutation.py decide state     these parts only
    python tests/mutation.py --again …        only what was not found last time, by --folder
    python tests/mutation.py --write          and specs/mutation.md gets table and list

Needs the extra `mutation`.  mutmut wants package and tests side by side, so both
are copied into a folder of their own; `--folder` names one that stays, where a
second run goes on from the first and `mutmut show NAME` and `mutmut browse` work.

It ends with 1 if less than nine in ten mutants are killed in one of the parts.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import ndiff
from pathlib import Path
from typing import Final

from attrs import field, frozen

ROOT: Final = Path(__file__).parents[1]
MUTANTS: Final = ROOT / "tests" / "mutants.py"
PAGE: Final = ROOT / "specs" / "mutation.md"
#: What a part must reach.
ENOUGH: Final = 0.9
_MARK: Final = "<!-- written by `python tests/mutation.py --write` from here on -->"

#: What the tests of the core need, where it is and where it goes.
_COPIED: Final[Mapping[str, str]] = {
    "core/squidmesh_core": "squidmesh_core",
    "specs": "specs",
    "tests/conftest.py": "tests/conftest.py",
    "tests/core": "tests/core",
    "tests/support": "tests/support",
    "tests/typing/cases": "tests/typing/cases",
}

#: Left out: what looks at the tree itself, which in the copy is another, and what
#: counts calls, of which mutmut adds its own.
_LEFT_OUT: Final = (
    "tests/core/test_purity.py",
    "tests/core/protocol/test_schemas.py::test_generated_files_are_up_to_date",
    "tests/core/definition/test_judging.py::test_judging_the_largest_spec_takes_linear_work",
)

#: How the tests are collected, by mutmut and by `mutants.py`.
_COLLECTING: Final = (
    *("-p", "no:randomly", "-p", "no:cacheprovider"),
    *(f"--deselect={test}" for test in _LEFT_OUT),
)

#: How mutmut writes down what became of a mutant: the exit code of its tests.
_OUTCOMES: Final[Mapping[int | None, str]] = {
    0: "survived",
    1: "killed",
    3: "killed",
    5: "untested",
    33: "untested",
    36: "timeout",
    None: "not run",
}


#: What no test noticed.
_MISSED: Final = ("survived", "untested")
_COLUMNS: Final = ("killed", "timeout", "crashed", "survived", "untested", "not run")


@frozen(kw_only=True)
class Mutant:
    """One changed place and what became of it."""

    #: The part of the core, then the module in it.
    module: str
    #: As mutmut calls it.
    name: str
    #: One of the values above, or `crashed`.
    outcome: str
    before: str = field(default="", repr=False)
    after: str = field(default="", repr=False)

    @property
    def part(self) -> str:
        """The package, or a module that stands on its own."""
        return self.module.partition(".")[0]

    @property
    def found(self) -> bool:
        """Whether the tests noticed, be it because they no longer came to an end."""
        return self.outcome in {"killed", "timeout", "crashed"}


def main(arguments: Sequence[str]) -> int:
    """Copy, run, print, perhaps write; the exit code."""
    every = _parts(ROOT / "core" / "squidmesh_core")
    parser = argparse.ArgumentParser(prog="python tests/mutation.py")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(every)}")
    parser.add_argument("--folder", type=Path, help="work here, and leave it")
    parser.add_argument("--again", action="store_true", help="only what was not found last time")
    parser.add_argument("--write", action="store_true", help="the result into specs/mutation.md")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(every):
        parser.error(f"no part of the core: {', '.join(sorted(unknown))}")
    parts = options.parts or every
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        began = datetime.now(UTC)
        _lay_out(folder, parts)
        _start(folder, "make")
        made = [mutant for mutant in _mutants(folder) if mutant.part in parts]
        tried = {"not run", *(_MISSED if options.again else ())}
        _start(folder, "try", [mutant.name for mutant in made if mutant.outcome in tried])
        mutants = [mutant for mutant in _mutants(folder) if mutant.part in parts]
        lines = [*_table(mutants), "", *_survivors(mutants)]
    print(*lines, sep="\n")
    print(f"{len(mutants)} mutants, {datetime.now(UTC) - began}")
    if options.write:
        _write(lines, began.date())
    return 0 if mutants and all(share >= ENOUGH for share in _shares(mutants).values()) else 1


def _parts(core: Path) -> list[str]:
    return sorted(
        path.stem
        for path in core.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    )


def _lay_out(folder: Path, parts: Sequence[str]) -> None:
    for source, target in _COPIED.items():
        copied, origin = folder / target, ROOT / source
        copied.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(origin, copied, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(origin, copied)
    mutated = [f"squidmesh_core/{part}{end}" for part in parts for end in (".py", "/*.py")]
    (folder / "pyproject.toml").write_text(
        f"""
[tool.mutmut]
source_paths = ["squidmesh_core"]
only_mutate = {json.dumps(mutated)}
also_copy = ["tests", "specs"]
do_not_mutate_patterns = ["assert_never\\\\("]
pytest_add_cli_args_test_selection = ["tests/core"]
pytest_add_cli_args = {json.dumps(_COLLECTING)}

[tool.pytest]
minversion = "9.0"
pythonpath = ["tests"]
addopts = ["--import-mode=importlib"]
""",
        encoding="utf-8",
    )


def _start(folder: Path, half: str, names: Sequence[str] = ()) -> None:
    subprocess.run(
        [sys.executable, str(MUTANTS), half, *_COLLECTING, "tests/core"],
        cwd=folder,
        check=True,
        input="\n".join(names),
        text=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SQUIDMESH_HYPOTHESIS": "mutation"},
    )


def _mutants(folder: Path) -> Iterator[Mutant]:
    core = folder / "mutants" / "squidmesh_core"
    for meta in sorted(core.rglob("*.meta")):
        source = meta.with_suffix("")
        module = ".".join(source.relative_to(core).with_suffix("").parts)
        known = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
        spans = json.loads(source.with_suffix(".py.spans").read_text(encoding="utf-8"))["spans"]
        text = source.read_text(encoding="utf-8").splitlines()
        for name, code in known.items():
            outcome = _OUTCOMES.get(code, "crashed")
            before, after = ("", "") if outcome == "killed" else _change(name, text, spans)
            yield Mutant(module=module, name=name, outcome=outcome, before=before, after=after)


def _change(name: str, text: Sequence[str], spans: Mapping[str, Sequence[int]]) -> tuple[str, str]:
    """The lines that a mutant takes away and those that it puts there."""
    mutated = name.rpartition(".")[2]
    honest = mutated.rpartition("__mutmut_")[0] + "__mutmut_orig"
    (first, last), (start, end) = spans[honest], spans[mutated]
    there = [line.replace(mutated, honest) for line in text[start - 1 : end]]
    lines = list(ndiff(text[first - 1 : last], there))
    return _signed("-", lines), _signed("+", lines)


def _signed(sign: str, lines: Sequence[str]) -> str:
    return " ".join(line[2:].strip() for line in lines if line.startswith(sign))


def _shares(mutants: Sequence[Mutant]) -> dict[str, float]:
    found = Counter(mutant.part for mutant in mutants if mutant.found)
    ran = Counter(mutant.part for mutant in mutants if mutant.outcome != "not run")
    return {part: found[part] / most for part, most in ran.items()}


def _table(mutants: Sequence[Mutant]) -> Iterator[str]:
    yield f"| part | mutants | {' | '.join(_COLUMNS)} | found of those run |"
    yield f"|---|--:|{'--:|' * len(_COLUMNS)}--:|"
    shares = _shares(mutants)
    for part, share in shares.items():
        yield _row(part, [m for m in mutants if m.part == part], share)
    if mutants:
        ran = [mutant for mutant in mutants if mutant.outcome != "not run"]
        yield _row("all", mutants, sum(m.found for m in ran) / max(len(ran), 1))


def _row(title: str, mutants: Sequence[Mutant], share: float) -> str:
    counted = Counter(mutant.outcome for mutant in mutants)
    cells = [counted[outcome] for outcome in _COLUMNS]
    return f"| {title} | {len(mutants)} | {' | '.join(map(str, cells))} | {share:.1%} |"


def _survivors(mutants: Sequence[Mutant]) -> Iterator[str]:
    missed = [mutant for mutant in mutants if mutant.outcome in _MISSED]
    for module in dict.fromkeys(mutant.module for mutant in missed):
        yield f"**{module}**"
        yield ""
        for mutant in missed:
            if mutant.module == module:
                yield f"- {_function(mutant.name)}: `{mutant.before}` → `{mutant.after}`"
        yield ""


def _function(name: str) -> str:
    """`module.x_claim__mutmut_3` is `claim`, `module.xǁDeskǁwrite__mutmut_1` is `Desk.write`."""
    mangled = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    return ".".join(part for part in mangled.removeprefix("x_").split("ǁ") if part not in {"x", ""})


def _write(lines: Sequence[str], day: date) -> None:
    above = PAGE.read_text(encoding="utf-8").partition(_MARK)[0]
    text = "\n".join([above + _MARK, "", f"Of {day}:", "", *lines, ""])
    PAGE.write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
