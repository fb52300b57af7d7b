"""
Verifying: every stored append of a run read again, and what rests on it compared.

    journal      a run that the index lists has one
    chain        each append follows the one before it
    entries      a body is canonical, and holds what its row says; none contradicts itself
    definition   the one that the run names is there, unchanged, and has all that they name
    index        the rows are those that the state implies
    checkpoint   what it holds is the state at its revision
    rules        the offline checker finds nothing, if it is asked

A journal is read a page at a time, however long it is.  What is found counts: a
damaged run is marked for everybody, the mark of one that can be read is lifted,
and a checkpoint that tells something else is dropped.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

from attrs import frozen

from squidmesh import checks
from squidmesh.door.checkpoints import VERSION, thawed
from squidmesh.door.door import Door
from squidmesh.door.recall import fingerprint_of, mark_of, read_spec, unreadable
from squidmesh.door.reindex import all_ids, every_run
from squidmesh_core import canonical
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import RunNotFound, StorageError
from squidmesh_core.ids import BEGINNING, Fingerprint, Revision, RunId
from squidmesh_core.protocol.chain import AppendRecord, first_break, origin
from squidmesh_core.protocol.codec import check_codec, entries_of
from squidmesh_core.state.contradiction import Named
from squidmesh_core.state.draft import Draft
from squidmesh_core.state.fold import take
from squidmesh_core.state.run import RunState
from squidmesh_core.views.index import differing, rows_of
from squidmesh_storage.api import Journal, Quarantine

if TYPE_CHECKING:
    from squidmesh_core.checker import Violation

#: Appends read at once.
PAGE: Final = 500

#: What is to be said of a run; the first that fits, the worst first.
#:
#:     damaged        it cannot be read, and is quarantined
#:     newer          a newer squidmesh wrote some of it; what this one can judge is right
#:     rules_broken   it can be read, and says what no run should say
#:     index_differs  it is right, and listed or claimed wrongly; `reindex` mends that
Verdict = Literal["damaged", "newer", "rules_broken", "index_differs", "ok"]
#: Unusable ones are gone by now, where one may write.  Those of another release are not judged.
CheckpointVerdict = Literal["none", "usable", "unusable", "of_another_release"]


@frozen(kw_only=True)
class Verified:
    """What became of verifying one run."""

    run_id: RunId
    verdict: Verdict
    #: How far it was read: the head, or the last append before the damage.
    revision: Revision
    #: What is wrong or newer, and where that begins; null: nothing.
    reason: str | None = None
    at_revision: Revision | None = None
    #: The index rows that differ: `run`, `tags`, attempt keys, `node: correlation`.
    rows: tuple[str, ...] = ()
    checkpoint: CheckpointVerdict = "none"
    #: Only if the checker was asked.
    violations: "tuple[Violation, ...]" = ()
    #: Whether the run was quarantined, and is not any more.
    lifted: bool = False


@frozen(kw_only=True)
class Report:
    """What became of verifying one run, or all."""

    #: How many runs there are of each verdict.
    verdicts: Mapping[Verdict, int]
    #: How many entries were read.
    entries: int
    #: The one run that was asked for; of all runs, those with something to tell.
    results: tuple[Verified, ...]

    @property
    def runs(self) -> int:
        """How many runs were read."""
        return sum(self.verdicts.values())

    @property
    def clean(self) -> bool:
        """Whether all that was asked for is right, and could be judged."""
        return self.runs == self.verdicts.get("ok", 0)


def verify(door: Door, run_id: RunId | None = None, *, checker: bool = False) -> Report:
    """
    Verify one run, or all.

    Args:
        door: Whose journal.
        run_id: The run; null: all of them.
        checker: Also hold each journal, as a whole, against the rules of
            specs/invariants.md.

    Raises:
        RunNotFound: There is no such run.
        ConfigError: `checker` is neither true nor false.
        StorageError: The storage failed.
    """
    checks.flag("checker", checker)
    specs: dict[Fingerprint, Spec] = {}
    if run_id is not None:
        verified = _verify_run(door, run_id, specs, checker=checker)
        return Report(
            verdicts={verified.verdict: 1}, entries=verified.revision, results=(verified,)
        )
    verdicts: Counter[Verdict] = Counter()
    entries, telling = 0, []
    for one in _run_ids(door.journal):
        with suppress(RunNotFound):  # gone since it was named
            verified = _verify_run(door, one, specs, checker=checker)
            verdicts[verified.verdict] += 1
            entries += verified.revision
            if verified.verdict != "ok" or verified.lifted or verified.checkpoint == "unusable":
                telling.append(verified)
    return Report(verdicts=dict(verdicts), entries=entries, results=tuple(telling))


def _run_ids(journal: Journal) -> Iterator[RunId]:
    """The ids of all runs that have a journal or are listed, each once, in order."""
    together = merge(every_run(journal), all_ids(journal.listed_ids))
    return (run_id for run_id, _ in groupby(together))


def _verify_run(
    door: Door, run_id: RunId, specs: dict[Fingerprint, Spec], *, checker: bool
) -> Verified:
    """Verify one run; definitions that were found right are kept in `specs`."""
    door.memory.forget(run_id)  # what was known of it counts for nothing here
    reader = _Reader(door.journal, run_id, kept=[] if checker else None)
    try:
        reader.read_on()
        loaded = door.journal.load(run_id, reader.revision)
        check_codec(loaded.codec, run_id=run_id, head=loaded.head.revision)
        rows = () if reader.newer else _differing_rows(reader, specs)
    except StorageError as error:
        return _set_aside(door, reader, error)
    if reader.newer is not None:
        return _set_aside(door, reader, reader.newer)
    violations = () if reader.kept is None else _violations(reader.kept, reader.spec(specs))
    verdict: Verdict = "rules_broken" if violations else "index_differs" if rows else "ok"
    return Verified(
        run_id=run_id,
        verdict=verdict,
        revision=reader.revision,
        rows=rows,
        checkpoint=_judge_checkpoint(door, reader),
        violations=violations,
        lifted=_lift_mark(door, run_id, loaded.quarantined),
    )


class _Reader:
    """One run, read from its first append on."""

    def __init__(self, journal: Journal, run_id: RunId, *, kept: list[AppendRecord] | None) -> None:
        self.journal = journal
        self.run_id = run_id
        #: All that was read, if anybody needs it as a whole.
        self.kept = kept
        self.checkpoint = journal.checkpoint(run_id)
        #: The state at the checkpoint's revision, once that was read.
        self.state_there: RunState | None = None
        self.revision = BEGINNING
        #: What this process is too old for; from there on only the chain is judged.
        self.newer: StorageError | None = None
        self._hash = origin(run_id)
        self._draft = Draft(RunState(run_id=run_id))
        self._named = Named(run_id)

    @property
    def state(self) -> RunState:
        """The run as far as it was read."""
        return self._draft.state()

    def spec(self, specs: dict[Fingerprint, Spec]) -> Spec:
        """
        The definition that the run names, as it is stored.

        Raises:
            StorageError: It cannot be read, is not the one that is named, or has not what
                the entries name.
        """
        state = self.state
        fingerprint = fingerprint_of(state)
        if fingerprint not in specs:
            specs[fingerprint] = read_spec(state, self.journal.definition(fingerprint))
        self._named.check(specs[fingerprint])
        return specs[fingerprint]

    def read_on(self) -> bool:
        """
        Read what is there by now; whether there was anything new.

        Raises:
            RunNotFound: There is nothing at all.
            StorageError: `run_quarantined`: something does not fit, or all of it is gone.
        """
        before = self.revision
        while page := self.journal.stored(self.run_id, self.revision, PAGE):
            for record in page:
                self._take(record)
        if self.revision == BEGINNING:
            self.journal.load(self.run_id)  # says that there is nothing
        return self.revision > before

    def _take(self, record: AppendRecord) -> None:
        broken = first_break((record,), previous=self._hash, after=self.revision)
        if broken is not None:
            raise unreadable(self.run_id, "it does not follow what comes before it", broken)
        if self.newer is None:
            self._fold(record)
        if self.kept is not None:
            self.kept.append(record)
        self._hash, self.revision = record.hash, record.last

    def _fold(self, record: AppendRecord) -> None:
        try:
            entries = entries_of(record)
        except StorageError as error:
            if error.code != "newer_entries":
                raise
            self.newer = error
            return
        if canonical.encode(canonical.decode(record.body)) != record.body:
            raise unreadable(self.run_id, "its body is not in canonical form", record.first)
        for entry in entries:
            self._named.take(entry)
            take(self._draft, entry)
        if self.checkpoint is not None and (record.last, record.hash) == (
            self.checkpoint.revision,
            self.checkpoint.hash,
        ):
            self.state_there = self.state


def _differing_rows(reader: _Reader, specs: dict[Fingerprint, Spec]) -> tuple[str, ...]:
    """
    The index rows that are not what the journal implies.

    Raises:
        StorageError: The definition, or what was appended meanwhile, is unreadable.
    """
    spec = reader.spec(specs)
    while True:
        stored = reader.journal.rows_of(reader.run_id)
        # Rows belong to the head: they are compared once nothing was appended meanwhile.
        if not reader.read_on():
            return differing(stored, rows_of(reader.state, spec))
        if reader.newer is not None:
            return ()


def _violations(records: list[AppendRecord], spec: Spec) -> "tuple[Violation, ...]":
    from squidmesh_core.checker import check_run  # few ask for it, and it is large

    return check_run(records, spec).violations


def _set_aside(door: Door, reader: _Reader, error: StorageError) -> Verified:
    """
    What is to be said of a run that cannot be read.

    Raises:
        StorageError: The storage failed, which says nothing of the run.
    """
    if error.code == "newer_entries":
        door.memory.left_alone.add(reader.run_id)
        name, version = error.details.get("type"), error.details.get("version")
        reason = f"{name} v{version}" if name else error.message
        verdict: Verdict = "newer"
    elif error.code == "run_quarantined":
        reason, verdict = mark_of(error).reason, "damaged"
        with suppress(StorageError):  # the report is worth having where nobody can write
            door.journal.quarantine(reader.run_id, mark_of(error))
    else:
        raise error
    return Verified(
        run_id=reader.run_id,
        verdict=verdict,
        revision=reader.revision,
        reason=reason,
        at_revision=mark_of(error).revision,
    )


def _judge_checkpoint(door: Door, reader: _Reader) -> CheckpointVerdict:
    stored = reader.checkpoint
    if stored is None:
        return "none"
    if stored.codec_version != VERSION:
        return "of_another_release"
    held = thawed(reader.run_id, stored)
    if held is not None and held == reader.state_there:
        return "usable"
    with suppress(StorageError):  # as for a mark: whoever may only read is told all the same
        door.journal.delete_checkpoint(reader.run_id)
    return "unusable"


def _lift_mark(door: Door, run_id: RunId, mark: Quarantine | None) -> bool:
    door.memory.left_alone.discard(run_id)
    if mark is None:
        return False
    try:
        door.journal.quarantine(run_id, None)
    except StorageError:
        return False
    return True
