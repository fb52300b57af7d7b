"""
Whatever breaks on the way to PostgreSQL: nothing acknowledged is lost, nothing applied twice.

Each fault strikes a few times while eight worker processes work and orders come in.
"""

from pathlib import Path

import pytest

from chaos.postgres_faults import FAULTS, play
from support.postgres import Server


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", FAULTS)
def test_every_run_ends_and_the_books_balance(
    durable_server: Server, tmp_path: Path, name: str
) -> None:
    """And the offline checker finds nothing in any journal."""
    assert [] == play(FAULTS[name], durable_server, tmp_path)
