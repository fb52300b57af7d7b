"""Hooks as people see them."""

import json
from datetime import UTC, datetime, timedelta

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.notices import Delivery, Notice, Subscription
from squidmesh_core.values.redaction import REDACTED
from squidmesh_core.views.hooks import FailingNotice, Hook, hook_view
from squidmesh_core.views.visibility import CORE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SAID = Subscription(since=NOW, seen_at=NOW + timedelta(hours=1))


def waiting(number: int, **progress: object) -> Delivery:
    """A notice on its way."""
    notice = Notice(
        id=f"r:{number}:run_failed",
        event="run_failed",
        run_id=RunId("r"),
        workflow="orders",
        at=NOW,
    )
    return Delivery(notice=notice, **progress)  # type: ignore[arg-type]  # by name


def test_a_hook_that_nothing_waits_for_is_quiet() -> None:
    """Its key says what it is told of, and its name, whatever stands in that."""
    assert hook_view("run_failed app.alerts:page", SAID, []) == Hook(
        event="run_failed", name="app.alerts:page", since=NOW, seen_at=NOW + timedelta(hours=1)
    )


def test_what_waits_is_counted_and_what_failed_is_shown() -> None:
    """A notice that is told for the first time has not failed."""
    until = NOW + timedelta(seconds=4)
    failed = waiting(2, attempts=3, until=until, problem="ValueError: no")

    hook = hook_view(
        "run_failed page", SAID, [waiting(1), failed, waiting(3, attempts=1)], more=True
    )

    assert (3, True) == (hook.pending, hook.more)
    assert hook.failing == (
        FailingNotice(
            id="r:2:run_failed",
            run_id=RunId("r"),
            at=NOW,
            attempts=3,
            problem="ValueError: no",
            next_at=until,
        ),
    )


def test_what_a_function_said_is_for_auditors() -> None:
    """It may quote anything; that it fails is for operators, and nothing for others."""
    failed = waiting(2, attempts=3, problem="ValueError: 4242")
    hook = hook_view("run_failed page", SAID, [failed])

    operator, external = (CORE.redact(hook, scope) for scope in ("operator", "external"))

    assert hook is CORE.redact(hook, "auditor")
    assert [(3, REDACTED)] == [(one.attempts, one.problem) for one in operator.failing]
    assert "4242" not in repr(operator) + json.dumps(operator.to_dict())
    assert ((), REDACTED, 0) == (external.failing, external.name, external.pending)
