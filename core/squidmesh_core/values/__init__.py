"""
Small values that definitions and entries share: policies, conditions, bindings.

`definition` and `protocol` do not know each other; what both speak of is here.
Each module holds one kind of value: its records, what they mean, and their
JSON form.  Reading here trusts its input (journals, validated specs) and
raises `ValueError` on nonsense; `definition.validate` is for untrusted data.
"""

from squidmesh_core.values.binding import (
    Binding,
    Constant,
    FromPath,
    MissingPath,
    ObjectOf,
    OptionalPath,
    bind,
    binding_from_json,
    binding_to_json,
    lookup,
)
from squidmesh_core.values.condition import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Not,
    condition_from_json,
    condition_to_json,
    holds,
    paths_of,
)
from squidmesh_core.values.deadline import DeadlineStatus, Thresholds
from squidmesh_core.values.policy import (
    DeadlinePolicy,
    Exponential,
    RecoveryPolicy,
    RetryPolicy,
    deadline_to_json,
    retry_to_json,
)

__all__ = [
    "AllOf",
    "AnyOf",
    "Binding",
    "Compare",
    "Condition",
    "Constant",
    "DeadlinePolicy",
    "DeadlineStatus",
    "Exponential",
    "FromPath",
    "MissingPath",
    "Not",
    "ObjectOf",
    "OptionalPath",
    "RecoveryPolicy",
    "RetryPolicy",
    "Thresholds",
    "bind",
    "binding_from_json",
    "binding_to_json",
    "condition_from_json",
    "condition_to_json",
    "deadline_to_json",
    "holds",
    "lookup",
    "paths_of",
    "retry_to_json",
]
