"""Looking at a file before it is migrated: not a byte of it changes."""

import sqlite3
from pathlib import Path

from squidmesh_storage.sqlite import MIGRATIONS, plan


def test_a_plan_leaves_a_file_in_the_mode_that_it_is_in(tmp_path: Path) -> None:
    """Whoever only asks has not decided yet that a journal is to be kept there."""
    file = tmp_path / "host.db"
    with sqlite3.connect(file) as host:
        host.execute("create table notes (text)")
    host.close()
    before = file.read_bytes()

    planned = plan(file)

    assert (0, MIGRATIONS) == (planned.found, planned.steps)
    assert (before, [file]) == (file.read_bytes(), list(tmp_path.iterdir()))
