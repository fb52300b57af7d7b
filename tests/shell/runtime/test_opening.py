"""Opening a journal by its URL: what is refused, and what is never printed."""

import asyncio
from pathlib import Path

import pytest

from squidmesh import AsyncMesh, ConfigError, Mesh, StorageError
from squidmesh.opening import shown


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgres://shop@localhost/shop?pass word=hush", "unknown_url"),
        ("mysql://shop:hush@localhost/shop", "unknown_url"),
        ("shop:hush@localhost", "unknown_url"),
        ("mysql://shop:hu/s://h@localhost/shop", "unknown_url"),
        ("gopher://[hush", "unknown_url"),
        ("sqlite://journal.db", "unknown_url"),
        ("sqlite:///", "unknown_url"),
        ("memory://x", "unknown_url"),
        ("journal.db", "unknown_url"),
    ],
)
def test_a_url_that_cannot_be_opened_is_refused_without_its_password(url: str, code: str) -> None:
    """The message helps, and gives nothing away."""
    with pytest.raises(ConfigError) as caught:
        Mesh.open(url)

    assert code == caught.value.code
    said = f"{caught.value.message} {caught.value.details}"
    assert [] == [secret for secret in ("hush", "hu/", "s://h") if secret in said]


def test_a_url_without_secrets_is_shown_as_it_is() -> None:
    """People must recognise it."""
    urls = ["sqlite:///orders.db", "sqlite:////var/x.db", "memory://", "postgresql://host:5432/db"]

    assert urls == [shown(url) for url in urls]


def test_a_missing_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment names one."""
    monkeypatch.delenv("SQUIDMESH_URL", raising=False)
    with pytest.raises(ConfigError, match="SQUIDMESH_URL is not set"):
        Mesh.open()

    monkeypatch.setenv("SQUIDMESH_URL", "memory://")
    with Mesh.open() as mesh:
        assert "memory://" == mesh.door.journal.url


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Whatever it is, it may be somebody's."""
    file = tmp_path / "orders.csv"
    file.write_text("order,price\n" * 500)
    before = file.read_bytes()

    with pytest.raises(StorageError):
        Mesh.open(f"sqlite:///{file}")

    assert before == file.read_bytes()


def test_closing_twice_is_fine_and_afterwards_every_verb_says_so() -> None:
    """Nothing hangs, and nothing is lost in silence."""
    mesh = Mesh.open("memory://")
    mesh.close()
    mesh.close()

    with pytest.raises(StorageError, match="is closed"):
        mesh.runs()


def test_what_is_not_there_yet_needs_no_migration(tmp_path: Path) -> None:
    """An application that always says `migrate=True` begins on a new machine as well."""
    for url in (f"sqlite:///{tmp_path}/new.db", "sqlite:///:memory:", "memory://"):
        for _ in range(2):  # the file is there the second time
            with Mesh.open(url, migrate=True) as mesh:
                assert () == mesh.runs().items


def test_what_is_not_there_yet_needs_none_on_an_event_loop(tmp_path: Path) -> None:
    """The same for `AsyncMesh`."""

    async def opened(url: str) -> None:
        async with AsyncMesh.open(url, migrate=True) as mesh:
            assert () == (await mesh.runs()).items

    for url in (f"sqlite:///{tmp_path}/new.db", "sqlite:///:memory:", "memory://"):
        asyncio.run(opened(url))
