"""What became of a command: a line with its effects, a record, a document."""

from collections.abc import Sequence

from attrs import frozen

from squidmesh.cli.documents import command_document, mask_of, run_document
from squidmesh.cli.screen import Screen
from squidmesh.cli.words import DONE_WORDS
from squidmesh.mesh import Mesh
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.protocol.commands import Verb
from squidmesh_core.state.run import Receipt
from squidmesh_core.views.history import CommandView
from squidmesh_core.views.inspection import Run
from squidmesh_core.views.words import actor_name


@frozen(kw_only=True)
class Told:
    """What a command did, would do, or had done before."""

    verb: Verb
    before: Snapshot
    run: Run
    effects: Sequence[str] = ()
    #: The wire types of the entries that are appended.
    appends: Sequence[str] = ()
    #: The first time, if this was a repetition.
    already: Receipt | None = None

    def show(self, screen: Screen, *, dry_run: bool) -> None:
        """Tell it in the form that the reader wants."""
        mask = mask_of(self.before)
        before, after = self.before.status, self.run.status
        match screen.form:
            case "json":
                screen.document(
                    "command/1",
                    command=self.verb,
                    dry_run=dry_run,
                    run=run_document(self.run, mask),
                    before=before,
                    effects=list(self.effects),
                    appends=list(self.appends),
                    already=self.already and command_document(self.already, mask),
                )
            case "plain":
                screen.fields(self.run.id, self._done(screen, dry_run=dry_run), before, after)
            case "human":
                moved = "" if before == after else f", {before} → {after}"
                screen.line(f"{self.run.id}  {self._done(screen, dry_run=dry_run)}{moved}")
                for effect in self.effects:
                    screen.line(f"  {effect}", "dim")

    def _done(self, screen: Screen, *, dry_run: bool) -> str:
        if self.already is not None:
            return already_done(self.already, self.before, screen)
        word = DONE_WORDS[self.verb]
        return f"would be {word}" if dry_run else word


def already_done(first: Receipt | CommandView, run: Snapshot, screen: Screen) -> str:
    """Who did it before, and when."""
    word = DONE_WORDS[first.command]
    by = "" if first.actor is None else f" by {mask_of(run).text(actor_name(first.actor))}"
    same = " (same key)" if first.idempotency_key is not None else ""
    return f"already {word}{by} {screen.at(first.at)}{same}"


def first_time(mesh: Mesh, repeated: Run, verb: Verb, key: str | None, screen: Screen) -> str:
    """
    Who did something before that left a run as it is, and when.

    Args:
        mesh: Where the run is.
        repeated: What the repetition was answered with.
        verb: What was repeated.
        key: Under which key, if under one.
        screen: How instants are shown.

    Raises:
        StorageError: The run's journal is unreadable.
    """
    run = mesh.inspect(repeated)
    said = (one for one in run.command_history if one.command == verb)
    first = next((one for one in said if key is None or one.idempotency_key == key), None)
    return f"already {DONE_WORDS[verb]}" if first is None else already_done(first, run, screen)
