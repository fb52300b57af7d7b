"""Opening a journal by its URL: what is refused, and what is never printed."""

from pathlib import Path

import pytest

from squidmesh import ConfigError, Mesh, StorageError
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
