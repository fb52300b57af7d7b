"""
The offline checker: a second opinion on journals that are already written.

    export     journals as JSON lines
    bundle     one run as a file of its own
    journal    rules J    the stored appends          ─┐
    claims     rules C    leases and fences            │
    progress   rules A, P1 … P3   results and routes   │  each a family of rules that
    schedules  rules P4 … P7, P9  what is due when     ├─ looks at the model before an
    endings    rules T, P8        why a run ends       │  entry is taken into it, and
    gates      rules M    people and messages          │  once after each append
    compensation   rules S   what is undone            │
    lineage    rules I, L    which run is whose       ─┘
    model      what a journal says so far, in plain dicts
    planner    what the definition asks for, in plain words
    report     the rules by id, and what was found

It shares the entries, the codec and the language of definitions with the
runtime, and no reducer, planner or decider: a mistake there is not made again
here.  It accepts any history and never raises.
"""

from collections.abc import Mapping, Sequence

from squidmesh_core import canonical
from squidmesh_core.checker.claims import Claims
from squidmesh_core.checker.compensation import Compensation
from squidmesh_core.checker.endings import Endings
from squidmesh_core.checker.family import Family
from squidmesh_core.checker.gates import Gates
from squidmesh_core.checker.journal import Reader
from squidmesh_core.checker.lineage import Identities, Lineage
from squidmesh_core.checker.model import Model
from squidmesh_core.checker.progress import Progress
from squidmesh_core.checker.report import RULES, Findings, Report, Rule, Violation
from squidmesh_core.checker.schedules import Schedules
from squidmesh_core.definition.spec import Spec
from squidmesh_core.ids import AppendId, Fingerprint, RunId
from squidmesh_core.protocol.chain import AppendRecord

__all__ = ["RULES", "Report", "Rule", "Violation", "check_run", "check_store"]

_FAMILIES: tuple[type[Family], ...] = (
    Progress,
    Schedules,
    Gates,
    Compensation,
    Endings,
    Identities,
)


def check_run(records: Sequence[AppendRecord], spec: Spec | None = None) -> Report:
    """
    Everything that is wrong with the journal of one run.

    Args:
        records: All its appends, in stored order.
        spec: Its definition; without one, rules that need it stay silent.
    """
    findings = Findings()
    if records:
        _replay(records[0].run_id, records, spec, findings)
    return _report(findings, runs=1 if records else 0)


def check_store(
    runs: Mapping[RunId, Sequence[AppendRecord]], definitions: Mapping[Fingerprint, Spec]
) -> Report:
    """
    Everything that is wrong with the journals of a store, each alone and together.

    Args:
        runs: All appends of each run, in stored order; read one run after the other.
        definitions: The stored definitions; a run whose own is missing breaks C10.
    """
    findings = Findings()
    lineage = Lineage(findings)
    for run_id, records in runs.items():
        _check_one(run_id, records, definitions, lineage, findings)
    lineage.judge()
    return _report(findings, runs=len(runs))


def _check_one(
    run_id: RunId,
    records: Sequence[AppendRecord],
    definitions: Mapping[Fingerprint, Spec],
    lineage: Lineage,
    findings: Findings,
) -> None:
    fingerprint = _fingerprint(records)
    spec = None if fingerprint is None else definitions.get(fingerprint)
    replayed = _replay(run_id, records, spec, findings)
    lineage.add(*replayed)
    if fingerprint is not None and spec is None:
        message = f"there is no definition {fingerprint}"
        findings.note("C10", run_id, records[0].first, message)


def _replay(
    run_id: RunId, records: Sequence[AppendRecord], spec: Spec | None, findings: Findings
) -> tuple[Model, set[str], set[AppendId]]:
    """The model of a journal; its claim ids and token hashes; its append ids."""
    model = Model(run_id, () if spec is None or spec.by_dependencies else spec.entry_steps)
    claims, reader = Claims(model, spec, findings), Reader(run_id, findings)
    families = [claims, *(family(model, spec, findings) for family in _FAMILIES)]
    for entries in reader.read(records):
        model.begin_append()
        for entry in entries:
            for family in families:
                family.judge(entry)
            model.take(entry)
        for family in families:
            family.close()
    return model, claims.seen, reader.appends


def _fingerprint(records: Sequence[AppendRecord]) -> Fingerprint | None:
    """Which definition a run names, or what is left of it, as far as its first append says."""
    try:
        items = canonical.decode(records[0].body) if records else []
    except (ValueError, RecursionError):
        return None
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and item.get("type") in {"run_started", "run_pruned"}:
            named = item.get("definition")
            return Fingerprint(named) if isinstance(named, str) else None
    return None


def _report(findings: Findings, *, runs: int) -> Report:
    return Report(violations=tuple(findings.violations), entries=findings.entries, runs=runs)
