"""The demonstration on a journal that was given: the URL is all that changes."""

from pathlib import Path

import pytest

from squidmesh.cli.root import run
from squidmesh.demo.crash import demonstrate_crashes
from squidmesh.demo.driver import Told, begin_shop, demonstrate, open_shop
from squidmesh.demo.folder import fresh_folder
from squidmesh_core.errors import ConfigError


def unseen(over: int, all_: int) -> None:
    """A progress that nobody watches."""


def test_a_typed_url_is_worked_and_a_configured_one_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment names is the application's, and no place to practise."""
    configured, typed = tmp_path / "application.db", tmp_path / "practice.db"
    monkeypatch.setenv("SQUIDMESH_URL", f"sqlite:///{configured}")
    where = ("--folder", str(tmp_path / "shop"), "--url", f"sqlite:///{typed}")

    code = run(["demo", *where])
    records = [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    assert 0 == code
    assert not configured.exists()
    assert [["journal", f"sqlite:///{typed}"]] == [one for one in records if one[0] == "journal"]
    commands = [one[1] for one in records if one[0] == "next"]
    assert [] == [command for command in commands if "--url" in command]
    with open_shop(f"sqlite:///{typed}") as mesh:
        assert mesh.verify(checker=True).clean


def test_a_journal_in_use_is_refused(tmp_path: Path) -> None:
    """Orders of a demonstration must not come between somebody's own."""
    url = f"sqlite:///{tmp_path / 'practice.db'}"
    demonstrate(fresh_folder(tmp_path / "first", few=True, url=url), unseen, None)

    with pytest.raises(ConfigError, match="holds runs already; name an empty database"):
        begin_shop(fresh_folder(tmp_path / "second", few=True, url=url))


def test_a_journal_that_no_other_process_reaches_cannot_be_killed_over(tmp_path: Path) -> None:
    """Without killing anybody it will do."""
    folder = fresh_folder(tmp_path / "shop", few=True, url="memory://")

    with pytest.raises(ConfigError, match="leave out --crash"):
        demonstrate_crashes(folder, unseen)
    assert () == demonstrate(folder, unseen, None).differences


@pytest.mark.parametrize("crash", [False, True])
def test_on_postgresql_the_books_balance_as_well(
    tmp_path: Path, postgres_dsn: str, *, crash: bool
) -> None:
    """In an empty database, whose tables it makes; also under fire."""
    folder = fresh_folder(tmp_path / "shop", url=postgres_dsn)

    told: Told = demonstrate_crashes(folder, unseen) if crash else demonstrate(folder, unseen, None)

    assert () == told.differences
    assert (3 if crash else 0) == len(told.kills)
    with open_shop(postgres_dsn) as mesh:
        assert mesh.verify(checker=True).clean
