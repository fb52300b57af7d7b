"""
What of an error is the runtime's own, and so for operators to read.

A step's message, code and details are the host's words about the host's data.  The
kinds below are made by deciders alone, and their messages name nodes, paths, counts
and instants, never a value.
"""

from typing import Final

from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.views.visibility.rules import Get, Partly, Table, table

#: Kinds of errors whose message the runtime wrote.
OWN_KINDS: Final = frozenset({
    "missing_input_path",
    "no_matching_transition",
    "rejected",
    "run_timed_out",
    "timed_out",
    "unknown_transition",
    "visits_exhausted",
    "worker_lost",
})  # fmt: skip


def _message(get: Get) -> object:
    return get("message") if get("kind") in OWN_KINDS else REDACTED


def _line(get: Get) -> object:
    """Of an error in a line, `kind: message`, what operators may read."""
    text = get("error")
    if not isinstance(text, str):
        return None
    kind = text.partition(": ")[0]
    return text if kind in OWN_KINDS else kind


FAILURE: Final[Table] = table(operator="kind", auditor="code details", message=Partly(_message))
ERROR_LINE: Final = Partly(_line)
