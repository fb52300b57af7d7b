"""The page on offline analysis keeps its promise: the core alone can read the files."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from pytest_examples import find_examples

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "offline-analysis.md"
ALONE = """
from importlib.util import find_spec
assert find_spec("squidmesh_core") and not find_spec("squidmesh")
assert not find_spec("squidmesh_storage")
"""


def test_the_core_alone_reads_what_squidmesh_wrote(tmp_path: Path) -> None:
    """The first block writes the files; all the others run where nothing else can be imported."""
    first, *others = (example.source for example in find_examples(PAGE))
    (tmp_path / "write.py").write_text(first, encoding="utf-8")
    (tmp_path / "read.py").write_text("\n".join([ALONE, *others]), encoding="utf-8")
    # -S leaves out what the editable install adds to the path.
    path = f"{ROOT / 'core'}:{sysconfig.get_path('purelib')}"
    commands = ([sys.executable, "write.py"], [sys.executable, "-S", "read.py"])
    environments = (None, {"PYTHONPATH": path})

    for command, environment in zip(commands, environments, strict=True):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, check=False, text=True
        )
        assert (0, "") == (done.returncode, done.stderr)
