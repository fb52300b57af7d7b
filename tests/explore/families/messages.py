"""Messages: sent twice, early, late or in vain; each visit takes one, or times out."""

from typing import Final

from attrs import evolve

from explore.family import Family
from support.scenario import LEASE, a_message, milliseconds
from support.workflows import chain, receive, step

CI: Final = Family(
    name="messages",
    spec=chain(
        step("a", max_deliveries=2),
        receive("mail", timeout_ms=milliseconds(LEASE), output="mail"),
    ),
    workers=1,
    clients=(
        (a_message("mail", actor="ana", key="one"),),
        (a_message("mail", actor="ben", key="two"),),
    ),
    extras=1,
    reaches=frozenset(
        {
            "already",
            "refused already_received",
            "ended failed",
            "wrote MessageAwaited",
            "wrote MessageReceived",
            "ended completed",
        }
    ),
)
WORKERS: Final = evolve(CI, name="messages, two workers", workers=2)
