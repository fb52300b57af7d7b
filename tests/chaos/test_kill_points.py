"""`kill -9` at any instant loses no acknowledged append and applies no result twice."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos.kill_points import available, check, points_of, prepare


@pytest.mark.timeout(180)
def test_execute_next_survives_a_kill_at_every_point(tmp_path: Path) -> None:
    """Every call that reaches the disk; the other operations are walked by the long form."""
    if not available():
        why = "strace is not there or may not trace, so no kill point was walked"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    scene = prepare("execute_next", tmp_path / "scene")
    points = points_of(scene)
    assert len(points) > 20

    with ThreadPoolExecutor(2) as pool:
        wrong = list(pool.map(lambda point: check(scene, point), points))

    found = {point: what for point, what in zip(points, wrong, strict=True) if what}
    assert {} == found
