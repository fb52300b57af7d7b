"""Samples of one thing, and the two figures that are told of them."""

from collections.abc import Sequence
from statistics import median, quantiles


def spread(name: str, samples: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile, by name; nothing if there are too few samples."""
    if len(samples) < 2:
        return {}
    return {f"{name}_p50": median(samples), f"{name}_p95": quantiles(samples, n=20)[-1]}
