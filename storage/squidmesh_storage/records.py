"""Records: the kinds that an adapter itself knows, and what a listing of some of them is."""

from typing import Final

#: The kind of record that says who wants to be told: its key begins with an event.
HOOK: Final = "hook"
#: The kind of record that holds what a hook is to be told, under the hook's key.
NOTICE: Final = "notice"

_LAST: Final = "\U0010ffff"
#: No text holds these: they are halves of characters.
_BEFORE_HALVES, _AFTER_HALVES = "\ud7ff", "\ue000"


def hooks_of(event: str) -> str:
    """What the keys of the hooks of an event begin with."""
    return f"{event} "


def notice_key(hook: str, notice_id: str) -> str:
    """The key of what the hook of this key is to be told."""
    return f"{hook} {notice_id}"


def hook_of(key: str) -> str:
    """The key of the hook that the notice of this key is for; neither has spaces but these."""
    return " ".join(key.split(" ", 2)[:2])


def behind(prefix: str) -> str | None:
    """The first text behind all that begin with a prefix; null: there is none."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return None
    last = stem[-1]
    following = _AFTER_HALVES if last == _BEFORE_HALVES else chr(ord(last) + 1)
    return stem[:-1] + following


__all__ = ["HOOK", "NOTICE", "behind", "hook_of", "hooks_of", "notice_key"]
