"""How things stand, as a whole: the one place where whole tables are walked."""

from datetime import datetime

from attrs import evolve

from squidmesh_core.ids import RunId
from squidmesh_core.protocol.codec import CODEC_VERSION
from squidmesh_storage.api import Depth, Survey, Tally
from squidmesh_storage.lanes import earliest
from squidmesh_storage.postgres.rows import quarantine_from
from squidmesh_storage.postgres.scripts import Call, Script, all_of
from squidmesh_storage.postgres.statements import Names, Statements

#: What `survey_facts` tells, in its order.
_FACTS = (
    "postgresql", "fsync", "synchronous_commit", "full_page_writes", "writable", "journal_bytes",
    "runs_bytes", "attempts_bytes", "database_bytes",
)  # fmt: skip
_PARTS = (
    "survey_schema", "survey_runs", "survey_quarantined", "survey_newer", "survey_actions",
    "survey_queues", "survey_facts",
)  # fmt: skip
#: Counting millions walks tables, and takes longer than what is done while runs wait for it.
_PATIENTLY = Call(
    "select set_config('statement_timeout', '60s', true),"
    " set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true)"
)


def survey(sql: Statements, now: datetime) -> Script[Survey]:
    """Count and look."""
    calls = [sql.call(part, now=now, codec=str(CODEC_VERSION)) for part in _PARTS]
    _, ((schema,),), runs, marks, newer, actions, queues, (facts,) = yield from all_of(
        _PATIENTLY, *calls
    )
    depths = {
        queue: Depth(waiting=waiting, delayed=delayed, held=held, since=since)
        for queue, waiting, delayed, held, since in queues
    }
    return Survey(
        schema=schema,
        runs=dict(runs),
        quarantined={RunId(run): quarantine_from(at, reason) for run, at, reason in marks},
        newer=tuple(RunId(run_id) for (run_id,) in newer),
        actions=dict(actions),
        queues=depths,
        waiting_since=earliest(*(depth.since for depth in depths.values())),
        facts=dict(zip(_FACTS, facts, strict=True)),
    )


def tally(sql: Statements, at: datetime) -> Script[Tally]:
    """How many runs there are."""
    _, runs, deadlines = yield from all_of(
        _PATIENTLY, sql.call("tally_runs"), sql.call("tally_deadlines", at=at)
    )
    return Tally(
        runs={(workflow, status): number for workflow, status, number in runs},
        deadlines={(workflow, due): number for workflow, due, number in deadlines},
    )


def with_facts(survey: Survey, hints: str, names: Names, *, pooled: bool) -> Survey:
    """The same, with what this process knows of its own place there."""
    facts = {
        **survey.facts,
        "tables": f"{names.schema}.{names.prefix}*",
        "hints": hints,
        "pooler": "yes" if pooled else "no",
    }
    return evolve(survey, facts=facts)
