"""All that an explanation is made of, and the words for its instants."""

from datetime import datetime, tzinfo
from functools import cached_property

from attrs import frozen

from squidmesh_core.definition.spec import Spec
from squidmesh_core.state.run import RunState
from squidmesh_core.values.binding import Path
from squidmesh_core.views.explanation.standing import Standing, standings
from squidmesh_core.views.explanation.surroundings import Surroundings
from squidmesh_core.views.words import HIDDEN, moment, value_text


@frozen(kw_only=True, slots=False)
class Case:
    """A run, when it is looked at, and what is around it."""

    state: RunState
    spec: Spec
    now: datetime
    surroundings: Surroundings
    zone: tzinfo

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """How each attempt stands that is not settled, time-outs among them."""
        return standings(self.state, self.surroundings, self.now)

    def when(self, at: datetime) -> str:
        """An instant, and how far away it is."""
        return moment(at, self.now, self.zone)

    def value(self, path: Path, value: object) -> str:
        """A value of the run context, unless the definition calls it sensitive."""
        for secret in self.spec.sensitive:
            shared = min(len(secret), len(path))
            if secret[:shared] == path[:shared]:
                return HIDDEN
        return value_text(value)
