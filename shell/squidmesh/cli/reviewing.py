"""What `approve` and `reject` have in common: which gate is meant, and its form."""

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack, cast

from attrs import frozen

from squidmesh import checks
from squidmesh.cli.commanding import Manner, steer
from squidmesh.cli.payloads import read_payload
from squidmesh.cli.session import Session
from squidmesh.steering.answering import form_of
from squidmesh.views.snapshot import Snapshot
from squidmesh_core.definition.spec import ApprovalNode, Field
from squidmesh_core.protocol import requests
from squidmesh_core.protocol.commands import Receipted
from squidmesh_core.protocol.requests import Operation


@frozen(kw_only=True)
class Form:
    """The form as the command line fills it in."""

    data: str | None
    pairs: Sequence[str]

    def read(self, fields: Sequence[Field]) -> Mapping[str, object] | None:
        """
        Its fields as JSON values; null: it was left alone.

        Raises:
            ConfigError: A pair has no `=`.
            PayloadError: The data is no JSON object, or cannot be stored.
        """
        if self.data is None and not self.pairs:
            return None
        filled = read_payload(self.data, self.pairs, fields, "form")
        return cast("Mapping[str, object] | None", form_of(None, filled))


def review(
    session: Session,
    run: str,
    decision: Literal["approved", "rejected"],
    node: str | None,
    form: Form,
    **manner: Unpack[Manner],
) -> int:
    """
    Answer an approval; the exit code.

    Raises:
        SquidmeshError: What `Mesh.approve` raises.
    """

    def make(before: Snapshot, who: Receipted) -> Operation:
        checks.optional_text("node", node)
        filled = form.read(_fields(before, node))
        return requests.review(before.id, who, decision, node=node, form=filled)

    verb: Literal["approve", "reject"] = "approve" if decision == "approved" else "reject"
    return steer(session, run, verb, make, **manner)


def _fields(before: Snapshot, named: str | None) -> Sequence[Field]:
    """The fields of the form that is meant; nothing if no such gate is open."""
    for gate in before.gates:
        node = before.spec.nodes.get(gate.node) if gate.node else None
        if isinstance(node, ApprovalNode) and named in {None, gate.node, gate.visit_key}:
            return node.form or ()
    return ()
