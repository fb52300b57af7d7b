"""The tags of a run in the one column of its listed facts."""

import json
from collections.abc import Sequence


def tags_to_text(tags: Sequence[str]) -> str:
    """What the column holds."""
    return json.dumps(tags)


def tags_from_text(text: str) -> tuple[str, ...]:
    """
    The tags that a column holds.

    What is damaged there is given back as one tag: it is told apart where its run is
    read, and must not stop a list of many runs.
    """
    try:
        tags = json.loads(text)
    except ValueError:
        return (text,)
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return (text,)
    return tuple(tags)
