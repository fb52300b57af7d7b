"""What a command works with: its settings, its screen, and the application on demand."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from attrs import frozen

from squidmesh.cli.screen import Screen
from squidmesh.config import Config
from squidmesh_core.errors import RunNotFound
from squidmesh_core.ids import RunId, is_run_id
from squidmesh_core.values.scope import Scope

if TYPE_CHECKING:
    from squidmesh.catalogue import Registrable
    from squidmesh.mesh import Mesh

#: Candidates that an ambiguous prefix is answered with.
_MOST_CANDIDATES: Final = 10
_DIGITS: Final = frozenset("0123456789abcdef-")


@frozen(kw_only=True)
class Session:
    """One call of one command."""

    config: Config
    screen: Screen
    #: As whom its reader sees things; null: as whoever can read the database.
    role: Scope | None = None

    @contextmanager
    def mesh(
        self,
        workflows: "Sequence[Registrable]" = (),
        *,
        must_exist: bool = False,
        fallback: str | None = None,
    ) -> Iterator["Mesh"]:
        """The application's mesh, closed afterwards; see `application.open_mesh`."""
        from squidmesh.cli.application import open_mesh

        with open_mesh(self.config, workflows, must_exist=must_exist, fallback=fallback) as mesh:
            yield mesh


def find_run(mesh: "Mesh", text: str) -> RunId:
    """
    The run that an id, or a prefix that only one id has, names.

    Raises:
        RunNotFound: `not_found`, `ambiguous_run_id` with candidates, or
            `invalid_run_id` for what begins no id at all.
    """
    prefix = RunId(text.strip().lower())
    if is_run_id(prefix):
        return prefix
    if not prefix or not _DIGITS.issuperset(prefix):
        raise RunNotFound(
            f"{text!r} is no run id and no beginning of one", "invalid_run_id", {"run_id": text}
        )
    after = mesh.door.journal.run_ids(prefix, _MOST_CANDIDATES + 1)
    found = tuple(takewhile(lambda run_id: run_id.startswith(prefix), after))
    if not found:
        raise RunNotFound(f"no run begins with {prefix}", "not_found", {"run_id": prefix})
    if len(found) > 1:
        shown = found[:_MOST_CANDIDATES]
        more = ", among them" if len(found) > len(shown) else ""
        raise RunNotFound(
            "\n  ".join([f"{prefix} begins several runs{more}:", *shown]),
            "ambiguous_run_id",
            {"run_id": prefix, "candidates": list(shown)},
        )
    return found[0]
