"""Hints may be lost, connections may be few: the work is done all the same."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from chaos.operation import SPEC, STEPS, actions_with
from squidmesh import Mesh, Worker
from squidmesh_core.errors import StorageUnavailable
from squidmesh_storage.api import Choice, Offered
from squidmesh_storage.conformance.kit import attempt, commit, first, puts, run_id
from squidmesh_storage.postgres import PostgresJournal, journal
from squidmesh_storage.postgres.pool import Pool
from support.postgres import Server, database
from support.proxy import Proxy


@pytest.fixture
def proxy(durable_server: Server) -> Iterator[Proxy]:
    """In front of a server of our own."""
    with Proxy(durable_server.port) as proxy:
        yield proxy


@pytest.mark.parametrize("deaf_from_the_start", [True, False])
def test_an_idle_worker_finds_work_that_it_was_not_told_of(
    durable_server: Server, proxy: Proxy, tmp_path: Path, *, deaf_from_the_start: bool
) -> None:
    """Whether its test of the hints has failed, or the hints stopped coming after it."""
    ledger = tmp_path / "ledger"
    actions = actions_with(ledger)
    proxy.deaf = deaf_from_the_start
    with (
        database(durable_server.tcp_url()) as url,
        Mesh(PostgresJournal(url), workflows=[SPEC], actions=actions) as client,
        Mesh(
            PostgresJournal(url.replace(f":{durable_server.port}/", f":{proxy.port}/")),
            workflows=[SPEC],
            actions=actions,
        ) as other,
        Worker(other),
    ):
        runs = []
        for number in range(3):
            run = client.start_spec(SPEC, "placed", {}, actions=actions, key=f"order:{number}")
            # It has worked a moment ago, so it looks again after a second, or two.
            client.wait_for(run, timeout="60s")
            runs.append(run.id)
            proxy.deaf = True

    assert {f"{run}:{step}:1" for run in runs for step in STEPS} == {*ledger.read_text().split()}


def test_many_slots_share_few_connections(
    monkeypatch: pytest.MonkeyPatch, postgres_dsn: str, tmp_path: Path
) -> None:
    """Nothing waits for a connection while it holds another one."""
    monkeypatch.setattr(journal, "CONNECTIONS", 1)
    ledger = tmp_path / "ledger"
    actions = actions_with(ledger)
    with (
        Mesh(PostgresJournal(postgres_dsn), workflows=[SPEC], actions=actions) as mesh,
        Worker(mesh, concurrency=16),
    ):
        runs = [
            mesh.start_spec(SPEC, "placed", {}, actions=actions, key=f"order:{number}").id
            for number in range(40)
        ]
        ended = {mesh.wait_for(run, timeout="60s").status for run in runs}

    assert {"completed"} == ended
    assert sorted(f"{run}:{step}:1" for run in runs for step in STEPS) == sorted(
        ledger.read_text().split()
    )


def test_a_pool_that_is_exhausted_says_so_and_recovers(
    monkeypatch: pytest.MonkeyPatch, postgres_dsn: str
) -> None:
    """Whoever waits too long is told what he waited for; the next one is served."""
    monkeypatch.setattr(journal, "CONNECTIONS", 1)
    monkeypatch.setattr(journal, "Pool", partial(Pool, patience=0.05))
    kept = PostgresJournal(postgres_dsn)
    commit(kept, first(run_id(1), rows=puts(attempt(run_id(1)))))
    inside, leave = threading.Event(), threading.Event()

    def decide(offered: Offered) -> Choice:
        inside.set()
        leave.wait()
        return Choice()

    with ThreadPoolExecutor(1) as threads:
        claiming = threads.submit(kept.claimable, ("default",), ("act",), 1, decide)
        inside.wait()
        with pytest.raises(StorageUnavailable, match="pool is exhausted: all 1 connections"):
            kept.load(run_id(1))
        leave.set()
        claiming.result()

    assert run_id(1) == kept.load(run_id(1)).records[0].run_id
    kept.close()
