"""What every family of rules has: the model to look at, and where to write down."""

from squidmesh_core.checker.model import Model
from squidmesh_core.checker.report import Findings, Rule
from squidmesh_core.definition.spec import Node, Spec
from squidmesh_core.ids import NodeName, Revision
from squidmesh_core.protocol.entries import Entry, RunSignalReceived


class Family:
    """
    Rules that look at the same things.

    Each entry is judged before the model takes it, each append once the model
    has taken all of it.
    """

    def __init__(self, model: Model, spec: Spec | None, findings: Findings) -> None:
        self.model = model
        #: Null: rules that compare with the definition stay silent.
        self.spec = spec
        self._findings = findings

    def judge(self, entry: Entry) -> None:
        """Look at one entry; the model is as it was before it."""

    def close(self) -> None:
        """Look at an append; the model has taken all of it."""

    def note(self, rule: Rule, revision: Revision, message: str, **details: object) -> None:
        """Write one violation down."""
        self._findings.note(rule, self.model.run_id, revision, message, **details)

    def node(self, name: NodeName | None) -> Node | None:
        """The node of this name, if the definition is known and has it."""
        return None if self.spec is None or name is None else self.spec.nodes.get(name)

    def receipt(self, command: str) -> RunSignalReceived | None:
        """The newest receipt of this command in the present append so far."""
        for entry in reversed(self.model.append):
            if isinstance(entry, RunSignalReceived) and entry.command == command:
                return entry
        return None
