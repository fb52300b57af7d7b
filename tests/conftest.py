"""
What every test shares: the Hypothesis profiles.

`SQUIDMESH_HYPOTHESIS` names one; without it `CI` chooses `ci`, and a person's
machine gets `dev`.
"""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("dev", max_examples=50, deadline=None)
# Derandomised, so that a red build is red again when it is repeated.
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", max_examples=5_000, deadline=None, print_blob=True)
# For tests/mutation.py: a mutant is to be found or not, always alike, and not to be shrunk.
settings.register_profile(
    "mutation",
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

settings.load_profile(
    os.environ.get("SQUIDMESH_HYPOTHESIS") or ("ci" if os.environ.get("CI") else "dev")
)
