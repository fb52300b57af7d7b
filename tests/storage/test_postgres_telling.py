"""Hints to other processes are few, and none is lost."""

import threading
from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from squidmesh_storage.postgres.telling import Teller

LONG = 3600.0
MOMENT = 0.001


class Heard:
    """What was sent, hint by hint."""

    def __init__(self) -> None:
        self.hints: list[set[str]] = []
        self.came = threading.Event()

    def send(self, queues: Collection[str]) -> None:
        self.hints.append(set(queues))
        if len(self.hints) > 1:
            self.came.set()


def test_the_first_hint_is_sent_at_once() -> None:
    """Nobody waits for company."""
    heard = Heard()

    Teller(heard.send, apart=LONG).tell({"default"})

    assert [{"default"}] == heard.hints


def test_hints_within_a_moment_travel_together_when_it_is_over() -> None:
    """Whoever looked in between and went to sleep is woken again."""
    heard = Heard()
    teller = Teller(heard.send, apart=MOMENT * 20)

    for queue in ("default", "default", "mail"):
        teller.tell({queue})

    assert heard.came.wait(10)
    assert [{"default"}, {"default", "mail"}] == heard.hints


@given(st.lists(st.sets(st.sampled_from("abc"), min_size=1), min_size=1, max_size=6))
def test_what_is_held_back_is_sent_before_the_end(told: list[set[str]]) -> None:
    """Closing sends it, once; afterwards nothing is sent."""
    heard = Heard()
    teller = Teller(heard.send, apart=LONG)

    for queues in told:
        teller.tell(queues)
    teller.close()
    teller.close()
    teller.tell({"late"})

    later = set().union(*told[1:])
    assert [told[0], *([later] if later else [])] == heard.hints
