"""
The two halves of mutation testing, each a process of its own that `mutation.py` starts.

    python tests/mutants.py make        mutmut writes the mutants, and which tests call what
    python tests/mutants.py try …       those named by lines of the input are tried; the
                                        arguments are for pytest

mutmut would collect the tests anew for each mutant, which takes longer than most of
them.  Here they are collected once, and each mutant gets a fork of that process: its
own tests only, quick ones first, and before them what found the last mutant of the
same function.  The first test that fails ends the fork.

Works in the current folder, as `mutation.py` laid it out.
"""

import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

#: Seconds of processor time, on top of ten times what a test takes with the honest core;
#: one that takes longer no longer comes to an end.  Not of the clock: so it does not
#: matter what else the machine does.
PATIENCE: Final = 5.0
#: Seconds of the clock for all tests of a mutant, should one of them wait for ever.
LONGEST: Final = 600.0
#: Bytes; a mutant that goes on collecting is not to take the machine down.
MEMORY: Final = 4 << 30

#: How mutmut writes down what became of a mutant: the exit code of its tests.
FOUND: Final = 1
UNTESTED: Final = 33
ENDLESS: Final = 36

#: What is built once, on import, is not called by a test that could be told from others.
_BUILT_ONCE: Final = ("squidmesh_core.protocol.members", "squidmesh_core.protocol.converter")
_OF_THESE: Final = ("tests/core/protocol/test_codec.py", "tests/core/protocol/test_members.py")
#: Seconds between two writings of the results.
_PAUSE: Final = 5.0


def make() -> None:
    """Have mutmut write the mutants and, for each function, the tests that call it."""
    # By name: mutmut is an extra, and its modules are not for others to import.
    mutmut: Any = importlib.import_module("mutmut.__main__")
    mutators: Any = importlib.import_module("mutmut.mutation.mutators")

    def named(string: Any) -> object:
        """Texts with a blank are read by people, and may be worded anew."""
        return () if " " in getattr(string, "value", "") else of_texts(string)

    of_texts = mutators.operator_string
    mutators.mutation_operators[:] = [
        (node, named if operator is of_texts else operator)
        for node, operator in mutators.mutation_operators
    ]
    mutmut.copy_src_dir()
    mutmut.copy_also_copy_files()
    mutmut.setup_source_paths()
    mutmut.create_mutants(os.cpu_count() or 1)
    mutmut.collect_or_load_stats(mutmut.get_mutant_runner(1), apply_config_invalidation=True)


def attempt(names: Collection[str], arguments: Sequence[str]) -> int:
    """Try mutants with the tests that pytest collects; its exit code."""
    os.chdir("mutants")
    sys.path.insert(0, str(Path.cwd()))
    os.environ["MUTANT_UNDER_TEST"] = ""
    return int(pytest.main(["--rootdir=.", "-q", "--tb=no", *arguments], [Mutants(names)]))


class Mutants:
    """A pytest plugin that runs what was collected once for each mutant, in a fork."""

    def __init__(self, names: Collection[str]) -> None:
        stats = json.loads(Path("mutmut-stats.json").read_text(encoding="utf-8"))
        self._callers: Mapping[str, list[str]] = stats["tests_by_mangled_function_name"]
        self._seconds: Mapping[str, float] = stats["duration_by_test"]
        self._names = frozenset(names)
        #: By function, what found its mutants, the last one first.
        self._finders: defaultdict[str, list[str]] = defaultdict(list)
        #: In a fork: the mutant, and where to tell who found it.
        self._mutant = ""
        self._told = -1

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """The loop over mutants, instead of pytest's own, which is for the forks."""
        if self._mutant:
            return None
        items = {item.nodeid: item for item in session.items}
        metas = {path: json.loads(path.read_text("utf-8")) for path in Path().rglob("*.meta")}
        todo = [
            (path, name)
            for path, meta in metas.items()
            for name in meta["exit_code_by_key"].keys() & self._names
        ]
        todo.sort(key=lambda one: (self._cost(one[1]), one[1]))
        gc.freeze()
        written, changed, found = time.monotonic(), set[Path](), 0
        for number, (path, name) in enumerate(todo, start=1):
            code = self._try(session, name, items)
            metas[path]["exit_code_by_key"][name] = code
            changed.add(path)
            found += code not in {0, UNTESTED}
            if number == len(todo) or time.monotonic() - written > _PAUSE:
                for each in changed:
                    _write(each, metas[each])
                print(f"{number} of {len(todo)} tried, {found} found", file=sys.__stderr__)
                written, changed = time.monotonic(), set()
        return True

    def _cost(self, mutant: str) -> float:
        """Seconds that it takes if nothing finds it."""
        return sum(self._seconds.get(test, 0.0) for test in self._callers.get(_of(mutant), ()))

    def _try(self, session: pytest.Session, mutant: str, items: Mapping[str, pytest.Item]) -> int:
        finders = self._finders[_of(mutant)]
        tests = self._tests_of(mutant, items)
        if not tests:
            return UNTESTED
        listening, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(listening)
            self._mutant, self._told = mutant, told
            os._exit(self._alone(session, [items[test] for test in tests]))
        os.close(told)
        code, finder = _outcome(pid, listening)
        if finder:
            finders[:] = [finder, *(test for test in finders if test != finder)]
        return code

    def _tests_of(self, mutant: str, items: Mapping[str, pytest.Item]) -> list[str]:
        """The tests of a mutant, those first that are likely to find it soon."""
        tests = {test for test in self._callers.get(_of(mutant), ()) if test in items}
        if mutant.startswith(_BUILT_ONCE):
            tests |= {test for test in items if test.startswith(_OF_THESE)}
        rank = {test: place for place, test in enumerate(self._finders[_of(mutant)])}
        near = "tests/core/" + mutant.split(".")[1]
        return sorted(
            tests,
            key=lambda test: (
                rank.get(test, len(rank)),
                not test.startswith(near),
                self._seconds.get(test, 0.0),
                test,
            ),
        )

    # -- in a fork --

    def _alone(self, session: pytest.Session, tests: list[pytest.Item]) -> int:
        """Run the tests; the exit code, unless one of them fails before."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        os.environ["MUTANT_UNDER_TEST"] = self._mutant
        # What every mutated function asks each time it is called, and slowly.
        asked = vars(importlib.import_module("mutmut.mutation.trampoline"))
        asked["get_mutant_under_test"] = lambda: self._mutant
        try:
            if self._mutant.startswith(_BUILT_ONCE):
                _build_again()
            session.items = tests
            session.config.hook.pytest_runtestloop(session=session)
        except BaseException:  # a mutant may raise whatever it likes
            return FOUND
        return 0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Give a test its time; the signal at its end, which nobody handles, ends the fork."""
        if self._mutant:
            seconds = PATIENCE + 10 * self._seconds.get(nodeid, 0.0)
            signal.setitimer(signal.ITIMER_PROF, seconds)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell who found the mutant."""
        if self._mutant and report.failed:
            os.write(self._told, report.nodeid.encode())
            os._exit(FOUND)


def _outcome(pid: int, listening: int) -> tuple[int, str]:
    """How a fork ended, and the test that found its mutant."""
    if not select.select([listening], [], [], LONGEST)[0]:
        os.kill(pid, signal.SIGKILL)
    finder = os.read(listening, 65_536).decode()
    os.close(listening)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return ENDLESS if code in {-signal.SIGPROF, -signal.SIGKILL} else code, finder


def _build_again() -> None:
    """Build with the mutant what a process builds once, on first use."""
    from squidmesh_core.protocol import codec, converter

    converter.converter.cache_clear()
    for made in (codec._WRITERS, codec._TEXT_WRITERS, codec._READERS):
        made.clear()


def _write(path: Path, meta: Mapping[str, object]) -> None:
    whole = path.with_suffix(".new")
    whole.write_text(json.dumps(meta, indent=4), encoding="utf-8")
    whole.replace(path)


def _of(mutant: str) -> str:
    """The function that a mutant changes."""
    return mutant.rpartition("__mutmut_")[0]


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        sys.exit(attempt(sys.stdin.read().split(), sys.argv[2:]))
