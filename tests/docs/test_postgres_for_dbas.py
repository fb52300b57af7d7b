"""What the page for database administrators says of roles and queries is so."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from squidmesh import Mesh, Workflow, manual, step
from squidmesh.cli.root import run as squidmesh
from squidmesh_core.errors import StorageError
from squidmesh_storage.postgres.connecting import FOR_TRANSACTION
from support.postgres import execute

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "postgres-for-dbas.md"
BLOCKS: Final = re.findall(
    r"^```sql\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
ROLES: Final = ("mesh_app", "mesh_reader", "mesh_owner")
#: What the page says that a reader may type; `RUN` stands for the run.
READING: Final = (
    "runs", "counts", "show RUN", "explain RUN", "graph RUN", "journal RUN", "watch RUN",
    "diff RUN@3 RUN", "approvals", "deadlines", "queues", "workers", "hooks", "doctor", "verify",
    "bundle RUN one.sqm", "export all.jsonl",
)  # fmt: skip


def charge() -> str:
    return "paid"


class Orders(Workflow, name="Orders"):
    placed = manual()
    charged = step(charge)


@pytest.fixture
def urls(postgres_dsn: str) -> Iterator[dict[str, str]]:
    """The database as each role sees it, once the first block of the page was run."""
    try:
        execute(postgres_dsn, BLOCKS[0])
        yield {role: re.sub(r"//\w+@", f"//{role}@", postgres_dsn) for role in ROLES}
    finally:
        for role in ROLES:
            if execute(postgres_dsn, f"select 1 from pg_roles where rolname = '{role}'"):
                execute(postgres_dsn, f"drop owned by {role} cascade")
                execute(postgres_dsn, f"drop role {role}")


def test_three_roles_have_the_least_that_they_need(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One migrates, one works, one looks; and none can do what is another's."""
    app, reader = urls["mesh_app"], urls["mesh_reader"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="lacks a right"):
        Mesh.open(app)
    assert 0 == squidmesh(["migrate", "--url", urls["mesh_owner"]])

    with Mesh.open(app, workflows=[Orders]) as mesh:
        run = mesh.start(Orders.placed)
        mesh.drain()
        assert mesh.inspect(run).status == "completed"

    for typed in READING:
        assert 0 == squidmesh([*typed.replace("RUN", run.id).split(), "--url", reader]), typed
    for typed in ("reindex", "prune --older-than 0d --yes", "set-queue default --concurrency 1"):
        assert 7 == squidmesh([*typed.split(), "--url", reader]), typed


def test_the_queries_of_the_page_can_be_run(urls: dict[str, str], postgres_dsn: str) -> None:
    """As they stand there, one block after the other."""
    assert 0 == squidmesh(["migrate", "--url", urls["mesh_owner"]])

    for block in BLOCKS[1:]:
        execute(postgres_dsn, block)


def test_the_page_names_the_commands_that_a_reader_may_type() -> None:
    """All that are tried above."""
    (told,) = re.findall(
        r"^As a reader (.*) do what they do otherwise\.$", PAGE.read_text("utf-8"), re.MULTILINE
    )

    assert [typed.split()[0] for typed in READING] == re.findall(r"`(\w+)`", told)


def test_the_page_names_every_setting_of_a_session() -> None:
    """Whoever sees one in `pg_settings` finds here why it is so; the isolation is named in words."""
    page = PAGE.read_text("utf-8")
    names = re.findall(r"set_config\('(\w+)'", FOR_TRANSACTION.text)

    assert ["default_transaction_isolation"] == [name for name in names if f"`{name}`" not in page]
