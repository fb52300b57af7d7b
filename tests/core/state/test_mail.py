"""What a state says of messages: who waits, and what came early."""

from squidmesh_core.ids import NodeName, Revision, visit_key
from squidmesh_core.protocol.entries import MessageAwaited, MessageReceived
from squidmesh_core.state.mail import Mail
from support.entries import EPOCH, RUN
from support.scenario import Scenario
from support.workflows import pause, receive, step, workflow

PARCEL, BILL = NodeName("parcel"), NodeName("bill")
FIRST, SECOND = visit_key(RUN, PARCEL), visit_key(RUN, PARCEL, 2)


def awaited(*visits: str) -> Mail:
    """Mail in which these visits of `parcel` wait, in this order."""
    mail = Mail()
    for visit in visits:
        key = FIRST if visit == "first" else SECOND
        waits = mail.expecting(MessageAwaited(at=EPOCH, visit_key=key, step=PARCEL))
        assert isinstance(waits, Mail)
        mail = waits
    return mail


def message(revision: int, step: NodeName = PARCEL) -> MessageReceived:
    return MessageReceived(at=EPOCH, revision=Revision(revision), step=step)


def test_oldest_visit_is_the_one_that_waited_longest() -> None:
    """In the order they began to wait, of that node alone."""
    mail = awaited("second", "first")

    assert SECOND == mail.oldest_visit(PARCEL)
    assert FIRST == mail.taken(SECOND, None).oldest_visit(PARCEL)
    assert mail.oldest_visit(BILL) is None


def test_oldest_message_is_the_one_that_came_first() -> None:
    """Of that node alone."""
    mail = Mail().received(message(4, BILL)).received(message(5)).received(message(6))

    assert (5, 4) == (mail.oldest_message(PARCEL), mail.oldest_message(BILL))
    assert 6 == mail.taken(FIRST, Revision(5)).oldest_message(PARCEL)
    assert Mail().oldest_message(PARCEL) is None


def test_taking_ends_one_wait_and_one_message() -> None:
    """The others stay as they are."""
    mail = awaited("first", "second").received(message(5)).received(message(6))
    taken = mail.taken(FIRST, Revision(5))

    assert ([SECOND], [6]) == (list(taken.awaited), list(taken.kept))


def test_what_concerns_no_message_changes_nothing() -> None:
    """Results of steps pass by."""
    mail = awaited("first")

    assert mail is mail.taken(SECOND, Revision(9))
    assert Mail() == Mail().nobody_waits()


def test_visit_waits_once() -> None:
    """A second wait of one visit does not fit."""
    again = awaited("first").expecting(MessageAwaited(at=EPOCH, visit_key=FIRST, step=PARCEL))

    assert "active_await" == again


def test_what_a_visit_was_found_by_is_remembered() -> None:
    """Also after it was served."""
    entry = MessageAwaited(at=EPOCH, visit_key=FIRST, step=PARCEL, correlation="A-1")
    mail = Mail().expecting(entry)
    assert isinstance(mail, Mail)

    assert {FIRST: "A-1"} == mail.taken(FIRST, None).found_by
    assert {} == awaited("second").found_by


def test_run_is_idle_while_only_a_message_is_awaited() -> None:
    """An attempt makes it running, a gate paused; its time-out makes no difference."""
    run = Scenario(
        workflow(
            receive("parcel", timeout_ms=1_000),
            step("pick"),
            pause("look"),
            step("end", after=("parcel", "pick", "look")),
        )
    )
    run.start()
    statuses = [run.state.status]
    run.resume()
    statuses.append(run.state.status)
    run.perform("pick")
    statuses.append(run.state.status)
    run.send("parcel")
    statuses.append(run.state.status)

    assert ["paused", "running", "idle", "running"] == statuses


def test_end_leaves_nobody_waiting() -> None:
    """What was kept stays kept."""
    run = Scenario(workflow(receive("parcel"), step("pick"), receive("bill", after=("pick",))))
    run.start()
    run.send("bill")
    run.cancel()

    assert ({}, [BILL]) == (run.state.mail.awaited, list(run.state.mail.kept.values()))
