"""The limit: commits of one row each, by pgbench with as many clients."""

import re
import subprocess
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.postgres.server import binaries

#: Seconds of one measurement.
LASTS: Final = 5
#: Bytes of the row, which are about those of an append.
_SCRIPT: Final = """\
insert into limit_of_commits (body) values (repeat('x', 1000));
"""
_TABLE: Final = """
create table if not exists limit_of_commits (
    id uuid primary key default gen_random_uuid(), body text not null
)
"""
_RATE: Final = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


def limit(url: str, folder: Path, concurrency: int) -> dict[str, float]:
    """Commits per second of so many clients."""
    with psycopg.connect(url) as connection:
        connection.execute(_TABLE.encode())
    script = folder / "one_row.sql"
    script.write_text(_SCRIPT)
    clients = ("-c", str(concurrency), "-j", str(min(concurrency, 2)), "-T", str(LASTS))
    command = (binaries() / "pgbench", "-n", "-M", "prepared", *clients, "-f", script, url)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = _RATE.search(done.stdout)
    if found is None:
        raise RuntimeError(f"pgbench told no rate: {done.stdout}")
    return {"commits_per_s": float(found[1])}
