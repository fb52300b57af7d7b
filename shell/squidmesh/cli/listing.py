"""What is sensitive in listed runs: asked only of those that have an error to show."""

from squidmesh.cli.documents import mask_of
from squidmesh.cli.masking import Mask
from squidmesh.mesh import Mesh
from squidmesh_core import canonical
from squidmesh_core.definition.spec import Spec
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
            StorageError: The run's journal or definition is unreadable.
        """
        if run.error is None or not self._may_hold_secrets(run.fingerprint):
            return None
        return mask_of(self._mesh.inspect(run))

    def _may_hold_secrets(self, fingerprint: Fingerprint) -> bool:
        if fingerprint not in self._sensitive:
            text = self._mesh.door.journal.definition(fingerprint)
            spec = None if text is None else Spec.from_dict(canonical.decode(text))
            self._sensitive[fingerprint] = spec is None or bool(spec.sensitive)
        return self._sensitive[fingerprint]
