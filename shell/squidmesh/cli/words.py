"""Words that several commands use for the same thing."""

from collections.abc import Mapping
from typing import Final

#: A command, once it is done.
DONE_WORDS: Final[Mapping[str, str]] = {
    "start": "started",
    "cancel": "cancelled",
    "pause": "held",
    "resume": "resumed",
    "approve": "approved",
    "reject": "rejected",
    "send": "sent",
    "replay": "replayed",
    "retry_compensation": "taken up",
}
