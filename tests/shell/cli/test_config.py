"""Where the command line finds its settings."""

from pathlib import Path

import pytest

from squidmesh.config import Config, read_config
from squidmesh_core.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    """Precedence is flag, environment, file; each setting on its own."""
    written(tmp_path, '[tool.squidmesh]\nurl = "memory://file"\napp = "shop:mesh"\n')
    environ = {"SQUIDMESH_URL": "memory://environment"}

    by_flag = read_config(url="memory://flag", environ=environ, folder=tmp_path)
    by_environment = read_config(environ=environ, folder=tmp_path)
    by_file = read_config(environ={}, folder=tmp_path)

    assert ("memory://flag", True) == (by_flag.url, by_flag.url_is_flag)
    assert ("memory://environment", False) == (by_environment.url, by_environment.url_is_flag)
    assert "memory://file" == by_file.url
    assert "shop:mesh" == by_flag.app == by_environment.app == by_file.app
    assert "other" == read_config(app="other", environ={}, folder=tmp_path).app


def test_every_key_of_the_file_arrives(tmp_path: Path) -> None:
    """What the file may say, it says with effect."""
    text = 'app = "shop"\nurl = "memory://"\nqueues = ["a", "b"]\nconcurrency = 3\ntime = "utc"\n'

    config = read_config(environ={}, folder=written(tmp_path, f"[tool.squidmesh]\n{text}"))

    assert (
        Config(app="shop", url="memory://", queues=("a", "b"), concurrency=3, time="utc") == config
    )


def test_the_nearest_file_is_the_only_one(tmp_path: Path) -> None:
    """A project's file hides that of the folder it lies in."""
    written(tmp_path, '[tool.squidmesh]\nurl = "memory://outer"\n')
    inner = tmp_path / "project" / "package"
    inner.mkdir(parents=True)
    written(tmp_path / "project", '[project]\nname = "inner"\n')

    assert read_config(environ={}, folder=inner).url is None
    assert "memory://outer" == read_config(environ={}, folder=tmp_path).url


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('ulr = "memory://"', "ulr"),
        ("url = 3", "url"),
        ('url = ""', "url"),
        ('queues = "default"', "queues"),
        ("queues = []", "queues"),
        ('queues = ["no blanks"]', "queues"),
        ("concurrency = 0", "concurrency"),
        ("concurrency = true", "concurrency"),
        ('time = "soon"', "time"),
    ],
)
def test_a_wrong_setting_is_named_and_never_shown(tmp_path: Path, line: str, named: str) -> None:
    """The error names file and key, so that it can be found; values may be secret."""
    folder = written(tmp_path, f"[tool.squidmesh]\n{line}\n")

    with pytest.raises(ConfigError) as caught:
        read_config(environ={}, folder=folder)

    assert named == caught.value.details["option"]
    assert str(folder / "pyproject.toml") in caught.value.message


def test_a_file_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    """A broken file is not passed over in silence."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(environ={}, folder=written(tmp_path, "[tool.squidmesh\n"))


def test_the_record_does_not_show_its_url() -> None:
    """A URL may hold a password, and records end up in logs."""
    assert "s3cret" not in repr(Config(url="postgresql://ana:s3cret@db/shop"))
