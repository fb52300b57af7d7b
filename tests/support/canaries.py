"""
A run into which a canary is planted in every place that somebody outside fills in.

    told = Planted("7f3a").until(9)
    assert told.birds["progress"].text not in anything_an_operator_sees

Each place has a text of its own, so a leak says where it comes from.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from attrs import evolve, frozen

from squidmesh_core.definition.spec import COMPLETE, Field, ManualTrigger, Spec
from squidmesh_core.protocol.commands import (
    Cancel,
    Defer,
    Heartbeat,
    Held,
    Pause,
    Receipted,
    Resume,
    Review,
)
from squidmesh_core.protocol.entries import Failure
from squidmesh_core.values import Compare, DeadlinePolicy, FromPath, RetryPolicy
from squidmesh_core.values.scope import Scope
from support.scenario import LEASE, Scenario, a_message, a_start, milliseconds
from support.workflows import approval, receive, route, step, workflow

#: Place → the narrowest scope that may see what stands there.
PLACES: Final[Mapping[str, Scope]] = {
    "payload": "auditor",
    "payloadkey": "auditor",
    "secret": "auditor",
    "output": "auditor",
    "outputkey": "auditor",
    "errormessage": "auditor",
    "errorcode": "auditor",
    "errordetail": "auditor",
    "errorkey": "auditor",
    "errorkind": "operator",
    "comment": "auditor",
    "metadata": "auditor",
    "metadatakey": "auditor",
    "actor": "auditor",
    "actorrole": "auditor",
    "form": "auditor",
    "message": "auditor",
    "correlation": "auditor",
    "progress": "auditor",
    "progressnote": "auditor",
    "progresskey": "auditor",
    "deferral": "auditor",
    "tag": "auditor",
    "runkey": "auditor",
    "commandkey": "auditor",
    "partition": "auditor",
    "callbackerror": "auditor",
    "queue": "operator",
    "owner": "operator",
}
#: How many things happen to a planted run at most.
LONGEST: Final = 13
_TWICE: Final = RetryPolicy(max_attempts=2)
_SOON: Final = DeadlinePolicy(within_ms=60_000)


def planted_spec() -> Spec:
    """Reserve, ask, wait for a message, ship: with everything that can be planted."""
    word = Compare(path=("reserve", "word"), operator="equals", operand="dull")
    texts = {"word": "string", "secret": "string", "ref": "string"}
    spec = workflow(
        step("reserve", output="reserve", compensate=True, retry=_TWICE, deadline=_SOON),
        approval("review", form=(Field(name="reason", type="string"),), output="review"),
        receive(
            "settled",
            message=(Field(name="text", type="string"),),
            correlation=FromPath(path=("ref",)),
            output="settled",
        ),
        step("ship", input={"secret": FromPath(path=("secret",))}, retry=_TWICE),
        routes=(
            route("reserve", "ship", when=word),
            route("reserve", "review"),
            route("review", "settled"),
            route("settled", "ship"),
            route("ship", COMPLETE),
        ),
    )
    fields = tuple(Field(name=name, type="string") for name in texts)
    placed = ManualTrigger(name="placed", payload=(*fields, Field(name="more", type="map")))
    return evolve(spec, triggers=(placed,), sensitive=(("secret",),))


@frozen
class Bird:
    """What was planted, and who may see it."""

    text: str
    least: Scope


class Planted(Scenario):
    """
    A run with canaries in it.

    Args:
        mark: What tells this run's canaries from all other text.
    """

    def __init__(self, mark: str) -> None:
        super().__init__(planted_spec())
        self.birds = {place: Bird(f"q{mark}z{place}", least) for place, least in PLACES.items()}
        self._holding: Held | None = None
        self._steps: list[Callable[[], object]] = [
            self._begins,
            self._tells_progress,
            self._fails_once,
            self._defers,
            self._is_reserved,
            self._is_held,
            self._goes_on,
            self._is_approved,
            self._gets_its_message,
            self._is_being_shipped,
            self._ships_in_vain,
            self._fails_for_good,
            self._cannot_be_undone,
        ]

    def until(self, count: int, *, cancelled: bool = False) -> "Planted":
        """Let so many things happen to it, and then perhaps cancel it."""
        for happens in self._steps[:count]:
            happens()
        if cancelled and self.state.terminal is None and not self.state.undoing:
            self.decides(Cancel(said=self._said(), digest="as wished"))
        return self

    def __getitem__(self, place: str) -> str:
        return self.birds[place].text

    def _said(self) -> Receipted:
        return Receipted(
            actor={"id": self["actor"], "roles": [self["actorrole"]]},
            comment=self["comment"],
            metadata={self["metadatakey"]: [{"deep": self["metadata"]}]},
            key=self["commandkey"],
        )

    def _error(self) -> Failure:
        return Failure(
            kind=self["errorkind"],
            message=f"it broke: {self['errormessage']}",
            code=self["errorcode"],
            details={self["errorkey"]: {"deep": [self["errordetail"]]}},
        )

    def _held(self) -> Held:
        assert self._holding is not None
        return self._holding

    # -- what happens

    def _begins(self) -> None:
        payload = {
            "word": self["payload"],
            "secret": self["secret"],
            "ref": self["correlation"],
            "more": {self["payloadkey"]: [1, {"status": self["payload"]}]},
        }
        start = a_start(payload, key=self["runkey"], queue=self["queue"])
        self.decides(evolve(start, tags=(self["tag"],), partition_key=self["partition"]))

    def _tells_progress(self) -> None:
        held = self.claim("reserve", by=self["owner"])
        progress = {
            "done": self["progress"],
            "note": self["progressnote"],
            self["progresskey"]: 1,
        }
        self.decides(Heartbeat(held=held, lease_ms=milliseconds(LEASE), progress=progress))
        self._holding = held

    def _fails_once(self) -> None:
        self.fail(self._held(), self._error())

    def _defers(self) -> None:
        self.time_passes(timedelta(hours=1))
        held = self.claim("reserve", by=self["owner"])
        self.decides(Defer(held=held, reason={"message": self["deferral"]}, delay_ms=0))

    def _is_reserved(self) -> None:
        output = {"word": self["output"], self["outputkey"]: [{"reason": self["output"]}]}
        self.complete(self.claim("reserve", by=self["owner"]), output)

    def _is_held(self) -> None:
        self.decides(Pause(said=self._said(), digest="hold"))

    def _goes_on(self) -> None:
        self.decides(Resume(said=self._said(), digest="resume"))

    def _is_approved(self) -> None:
        form = {"reason": self["form"]}
        said = self._said()
        self.decides(Review(decision="approved", form=form, said=said, digest="approve"))

    def _gets_its_message(self) -> None:
        self.decides(a_message("settled", {"text": self["message"]}, actor=self["actor"]))

    def _is_being_shipped(self) -> None:
        self._holding = self.claim("ship", by=self["owner"])

    def _ships_in_vain(self) -> None:
        self.fail(self._held(), self._error())

    def _fails_for_good(self) -> None:
        self.time_passes(timedelta(hours=1))
        self.fail(self.claim("ship", by=self["owner"]), self._error(), retryable=False)

    def _cannot_be_undone(self) -> None:
        broken = evolve(self._error(), message=self["callbackerror"])
        self.fail(self.claim("reserve", by=self["owner"]), broken, retryable=False)
