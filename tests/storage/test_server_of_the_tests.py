"""The PostgreSQL of the tests: found, started, shared out, and never passed over in CI."""

from pathlib import Path

import pytest

from support.postgres import NoServer, Server, database, execute, find_binaries, missing


def test_what_is_missing_is_a_failure_in_ci_and_a_skip_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both say why."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no server"):
        missing("no server")

    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no server"):
        missing("no server")


def test_binaries_that_are_named_are_taken_or_nothing_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another server than the one that was asked for would prove another thing."""
    for name in ("initdb", "pg_ctl", "postgres"):
        (tmp_path / name).touch()
    monkeypatch.setenv("SQUIDMESH_TEST_POSTGRES", str(tmp_path))
    assert tmp_path == find_binaries()

    (tmp_path / "initdb").unlink()
    with pytest.raises(NoServer, match=str(tmp_path)):
        find_binaries()


def test_every_test_has_an_empty_database_of_its_own(postgres_server: str) -> None:
    """Gone afterwards, whoever is still connected."""
    with database(postgres_server) as one, database(postgres_server) as other:
        execute(one, "create table here (id integer)")

        assert [(1,)] == execute(one, "select count(*) from pg_tables where tablename = 'here'")
        assert [(0,)] == execute(other, "select count(*) from pg_tables where tablename = 'here'")
    left = execute(postgres_server, "select datname from pg_database")
    assert set() == {str(name) for (name,) in left} & {one.rpartition("/")[2].partition("?")[0]}


def test_a_durable_server_syncs_and_survives_the_loss_of_power(durable_server: Server) -> None:
    """What was committed is there after an immediate restart."""
    with database(durable_server.url()) as url:
        execute(url, "create table kept as select 7 as number")
        durable_server.restart("immediate")

        assert [("on",)] == execute(url, "show fsync")
        assert [(7,)] == execute(url, "select number from kept")
