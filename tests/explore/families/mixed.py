"""Mixed: gates, messages, waits, retries, loops and time-outs inside of runs that may be undone."""

from typing import Final

from explore.family import Family
from squidmesh_core.values import Exponential, RetryPolicy
from support.scenario import LEASE, a_cancel, a_message, a_resume, a_review, milliseconds
from support.workflows import approval, log, pause, receive, route, step, wait, workflow

_MINUTE: Final = milliseconds(LEASE)
_LATER: Final = RetryPolicy(
    max_attempts=2, backoff=Exponential(min_ms=_MINUTE // 2, max_ms=_MINUTE)
)
_ONCE: Final = RetryPolicy(max_attempts=1)

#: A gate that leads nowhere when it is refused or late, beside a step that can be undone.
GATE: Final = Family(
    name="mixed, gate beside a step",
    spec=workflow(
        step("a", compensate=True, compensate_retry=_ONCE, max_deliveries=1),
        approval("ask", timeout_ms=_MINUTE, output="ask"),
        step("c", after=("a", "ask"), compensate=True, compensate_retry=_ONCE, max_deliveries=1),
    ),
    workers=1,
    clients=((a_review("approved"),), (a_review("rejected", actor="ben"),)),
    endings={"undo.a": ("ok", "fail")},
    reaches=frozenset({"failed Boom", "left compensation_failed", "wrote CompensationStarted"}),
)
#: The whole run has its time, and so has the message; without it the run goes round.
TIMED: Final = Family(
    name="mixed, run time-out",
    spec=workflow(
        step("a", compensate=True, compensate_retry=_ONCE, retry=_LATER, max_deliveries=1),
        receive("mail", timeout_ms=_MINUTE, output="mail"),
        step("c", max_deliveries=1),
        routes=(
            route("a", "mail"),
            route("mail", "c"),
            route("mail", "a", on="timeout"),
        ),
        timeout_ms=3 * _MINUTE // 2,
    ),
    workers=1,
    clients=((a_message("mail"),),),
    endings={"do.a": ("ok", "fail")},
)
#: Waits and log lines, a retry with a delay, and a cancel that wants all undone.
WAITS: Final = Family(
    name="mixed, waits and retries",
    spec=workflow(
        step("a", compensate=True, compensate_retry=_LATER, retry=_LATER, max_deliveries=1),
        wait("rest", _MINUTE // 2),
        log("note", after=("a", "rest")),
        step("b", after=("note",), compensate=True, max_deliveries=1),
    ),
    workers=1,
    clients=((a_cancel(key="undo", compensate=True),),),
    endings={
        "do.a": ("ok", "fail"),
        "do.b": ("ok", "fail"),
        "undo.a": ("ok", "fail"),
    },
)
#: A loop through a pause, with error routes that lead around what failed.
LOOP: Final = Family(
    name="mixed, loop",
    spec=workflow(
        step("a", max_visits=2, compensate=True, compensate_retry=_ONCE, max_deliveries=1),
        pause("ask", max_visits=3, timeout_ms=_MINUTE),
        step("b", max_visits=2, max_deliveries=1),
        routes=(
            route("a", "ask"),
            route("a", "b", on="error"),
            route("ask", "a"),
            route("ask", "b", on="timeout"),
            route("b", "ask"),
        ),
    ),
    workers=1,
    clients=((a_resume("ask", key="one"), a_resume("ask", key="two")),),
    endings={"do.a": ("ok", "fail"), "do.b": ("ok", "fail")},
)
#: A saga whose siblings are lost, deferred or fail, and whose operator has had enough.
SIBLINGS: Final = Family(
    name="mixed, siblings",
    spec=workflow(
        step("a", compensate=True, compensate_retry=_ONCE, max_deliveries=2),
        step("b", max_deliveries=1),
        receive("mail"),
        step("c", after=("a", "b", "mail"), max_deliveries=1),
    ),
    workers=1,
    slots=2,
    clients=((a_message("mail", key="m"), a_cancel(digest="gone", abandon=True)),),
    endings={"do.b": ("ok", "fail")},
)
