"""What this process knows of runs: states folded forward, to be lost at any time."""

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import BEGINNING, Fingerprint, Revision, RunId
from squidmesh_core.protocol.making import quick
from squidmesh_core.protocol.rows import Head
from squidmesh_core.state.run import RunState

#: Runs whose state is kept; a worker holds far fewer at once.
MOST_RUNS: Final = 512

#: The instant of a head that nothing was appended to yet.
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@quick
@frozen(kw_only=True)
class Known:
    """A run as far as this process has read it."""

    state: RunState
    #: Chain hash at `state.revision`.
    hash: str
    #: The definition that the run started with.
    spec: Spec

    @property
    def head(self) -> Head:
        """Where an append to this run must follow."""
        state = self.state
        return Head(revision=state.revision, hash=self.hash, at=state.at or _NEVER)


class Memory:
    """
    The newest known state of each run that was touched lately.

    Args:
        other: Whose definitions it shares; their content never changes.
    """

    def __init__(self, other: "Memory | None" = None) -> None:
        self._runs: OrderedDict[RunId, Known] = OrderedDict()
        self._covered: dict[RunId, Revision] = {}
        self._specs: dict[Fingerprint, Spec] = {} if other is None else other._specs
        #: Runs that this process is too old for.
        self.left_alone: set[RunId] = set()
        self._lock = threading.Lock()

    def get(self, run_id: RunId) -> Known | None:
        """What is known of a run; somebody else may have appended since."""
        return self._runs.get(run_id)

    def put(self, known: Known) -> None:
        """Keep a state, unless a newer one is here already."""
        run_id = known.state.run_id
        with self._lock:
            present = self._runs.get(run_id)
            if present is not None and present.state.revision > known.state.revision:
                return
            self._runs[run_id] = known
            self._runs.move_to_end(run_id)
            if len(self._runs) > MOST_RUNS:
                oldest, _ = self._runs.popitem(last=False)
                self._covered.pop(oldest, None)

    def forget(self, run_id: RunId) -> None:
        """Read this run afresh next time."""
        with self._lock:
            self._runs.pop(run_id, None)
            self._covered.pop(run_id, None)

    def covered(self, run_id: RunId) -> Revision:
        """Up to where a stored checkpoint knows a run; another process may have stored more."""
        return self._covered.get(run_id, BEGINNING)

    def cover(self, run_id: RunId, revision: Revision) -> None:
        """Up to here a checkpoint of a run is stored, or was tried; only of one that is known."""
        with self._lock:
            if revision and run_id in self._runs:
                self._covered[run_id] = revision

    def spec(self, fingerprint: Fingerprint) -> Spec | None:
        """A definition that this process has read or registered."""
        return self._specs.get(fingerprint)

    def keep_spec(self, spec: Spec) -> None:
        """Keep a definition; there are few, and their content never changes."""
        self._specs[Fingerprint(spec.fingerprint)] = spec


class Forgetful(Memory):
    """Knows definitions, and reads every run afresh: what it has read may be rolled back."""

    def put(self, known: Known) -> None:
        """Keep nothing."""
