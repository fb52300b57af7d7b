"""
A process that may be killed anywhere: `operation.py <what> <file> <ledger>`.

    prepare        a journal with one started run
    start          start that run
    execute_next   perform one of its steps
    work           be a worker until killed

What it was told to be durable it says on standard output, one line each; what
its steps do to the outside world goes to the ledger.
"""

import os
import sys
from pathlib import Path
from typing import Final

from squidmesh import ActionRegistry, Context, Mesh, Worker
from squidmesh_core.definition.spec import ManualTrigger, Spec, StepNode, Transition
from squidmesh_core.ids import NodeName

KEY: Final = "order:1"
STEPS: Final = ("reserve", "charge", "ship")
SPEC: Final = Spec(
    workflow="chaos.Order",
    triggers=(ManualTrigger(name="placed"),),
    steps=tuple(
        StepNode(name=NodeName(name), action=f"chaos.{name}", output=name, max_deliveries=50)
        for name in STEPS
    ),
    transitions=tuple(
        Transition(source=NodeName(source), on="ok", target=NodeName(target))
        for source, target in zip(STEPS, (*STEPS[1:], "complete"), strict=True)
    ),
    entry_steps=(NodeName(STEPS[0]),),
)


def actions_with(ledger: Path) -> ActionRegistry:
    """Steps that write their idempotency key into a ledger, and nothing else."""

    def effect(ctx: Context) -> int:
        descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{ctx.idempotency_key}\n".encode())
        os.close(descriptor)
        return len(ctx.state)

    actions = ActionRegistry()
    for name in STEPS:
        actions.add(f"chaos.{name}", effect)
    return actions


def _acknowledge(what: str) -> None:
    os.write(1, f"{what}\n".encode())


def _main(what: str, file: str, ledger: Path) -> None:
    actions = actions_with(ledger)
    with Mesh.open(f"sqlite:///{file}", workflows=[SPEC], actions=actions) as mesh:
        if what in {"prepare", "start"}:
            run = mesh.start_spec(SPEC, "placed", {}, actions=actions, key=KEY)
            _acknowledge(f"started {run.id}")
        elif what == "execute_next":
            ran = mesh.execute_next(heartbeat=False)
            _acknowledge(f"revision {ran and ran.revision}")
        elif what == "work":
            Worker(mesh, concurrency=2, lease="300ms").run()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
