"""The masks of listed runs, read only for those that have an error to show."""

from squidmesh.cli.documents import mask_of
from squidmesh.door.recall import UNREADABLE
from squidmesh.files.masking import MASK, Mask
from squidmesh.mesh import Mesh
from squidmesh_core import canonical
from squidmesh_core.definition.spec import Spec
from squidmesh_core.errors import DefinitionError, StorageError
from squidmesh_core.ids import Fingerprint
from squidmesh_core.views.inspection import Run


class Masks:
    """The masks of one page of runs."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._sensitive: dict[Fingerprint, bool] = {}

    def of(self, run: Run) -> Mask | None:
        """
        The mask for a run's error; null: there is nothing to mask.

        Raises:
            StorageError: The storage failed.
        """
        if run.error is None or not self._may_hold_secrets(run.fingerprint):
            return None
        try:
            return mask_of(self._mesh.inspect(run))
        except StorageError as error:
            if error.code in UNREADABLE:
                return _Blindfold()
            raise

    def _may_hold_secrets(self, fingerprint: Fingerprint) -> bool:
        if fingerprint not in self._sensitive:
            self._sensitive[fingerprint] = _is_sensitive(
                self._mesh.door.journal.definition(fingerprint)
            )
        return self._sensitive[fingerprint]


class _Blindfold(Mask):
    """Masks every text: in a run that cannot be read, nobody knows the secrets."""

    def __init__(self) -> None:
        super().__init__(Spec(workflow="", triggers=(), steps=()), {})

    def text(self, text: str) -> str:  # noqa: ARG002  # whatever it is
        """Nothing of it."""
        return MASK


def _is_sensitive(definition: str | None) -> bool:
    """Whether a definition names secrets, or cannot say that it names none."""
    if definition is None:
        return True
    try:
        return bool(Spec.from_dict(canonical.restore(canonical.decode(definition))).sensitive)
    except (DefinitionError, ValueError):
        return True
