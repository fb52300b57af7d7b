"""Bytes that nobody can guess, and that nobody is given twice."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from squidmesh.chance import STOCK, random_bytes


def test_no_bytes_are_given_twice() -> None:
    """Whatever is asked for, by whichever thread, comes from bytes that are still whole."""
    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(random_bytes, [16] * 2_000))

    assert {16} == {len(one) for one in given}
    assert len(given) == len(set(given))


def test_more_than_a_stock_may_be_asked_for() -> None:
    """A large request is served in one piece."""
    assert STOCK + 1 == len(random_bytes(STOCK + 1))


def test_a_forked_process_gets_bytes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child begins with its parent's memory, but not with its stock."""
    random_bytes(16)
    drawn: list[int] = []

    def urandom(count: int) -> bytes:
        drawn.append(count)
        return bytes(count)

    monkeypatch.setattr(os, "getpid", lambda: -1)
    monkeypatch.setattr(os, "urandom", urandom)

    assert bytes(16) == random_bytes(16)
    assert [STOCK] == drawn
