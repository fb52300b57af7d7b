"""
What the checker looks for, and what it found.

`RULES` is the whole list, one sentence each, with the ids of specs/invariants.md.
Some rules of that family are out of an offline checker's reach:

    T4, H1 … H6   need the ledger of what clients and steps saw
    R1, R5, R6    need two processes, several adapters, the moment of reading
    R2, R3, R4,   need the reducer, a checkpoint or the index, none of which
      R7          is in a journal; tests of the core and of storage hold them
    L2, L3, L5    speak of entries that no release writes yet
"""

from collections.abc import Mapping
from typing import Final, Literal

from attrs import Factory, frozen

from squidmesh_core.ids import Revision, RunId

# fmt: off
Rule = Literal[
    "J1", "J2", "J3", "J4", "J5", "J6",
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C12",
    "A1", "A2", "A3", "A4", "A5",
    "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9",
    "T1", "T2", "T3", "T5",
    "M1", "M2", "M3", "M4", "M5", "M6", "M7",
    "S1", "S2", "S3", "S4", "S5",
    "I1", "I2", "I3", "I4", "L1", "L4",
]
# fmt: on

RULES: Final[Mapping[Rule, str]] = {
    "J1": "The revisions of a run are exactly 1 … n.",
    "J2": "Each hash is that of the previous one and the body, from the run id on.",
    "J3": "An append holds as many entries as its revisions say.",
    "J4": "No append id occurs twice.",
    "J5": "Time never goes back, and an append has one instant.",
    "J6": "A body is canonical, of known types and versions, complete, and within limits.",
    "C1": "What is claimed was scheduled, or born as a retry.",
    "C2": "Nothing is claimed before it is visible.",
    "C3": "Nothing is claimed while another claim of it lives.",
    "C4": "Claim ids and token hashes are unique, the hashes 64 lower-case hex digits.",
    "C5": "The fencing token rises over the claims of an attempt.",
    "C6": "A heartbeat comes from the holder while its lease lives, and never shortens it.",
    "C7": "Only the holder settles while its lease lives, or the runtime a claim that is lost.",
    "C8": "An attempt settles once, and nothing is said of it afterwards.",
    "C9": "An attempt is claimed at most `max_deliveries` times.",
    "C10": "The run's fingerprint names its stored definition.",
    "C12": "Nothing is claimed after the end or under a hold, nothing forward while undoing.",
    "A1": "A visit is applied at most once.",
    "A2": "What is applied names the result that it took in, and that result is its own.",
    "A3": "Nothing is applied, scheduled, opened or taken in after the end.",
    "A4": "What a settlement leads to is in its append.",
    "A5": "The values that decided a route are those of the run context at that moment.",
    "P1": "A run starts once, in its first append.",
    "P2": "Exactly what the definition asks for is entered, by the route it asks for.",
    "P3": "A node is entered when all that it comes after is applied, and once.",
    "P4": "What is scheduled or opened is what the definition says of its node.",
    "P5": "An attempt is scheduled once.",
    "P6": "A retry is born in a failure, within its policy's attempts and delays.",
    "P7": "Waits, time-outs and deferrals are visible when their time is over.",
    "P8": "A run that is not over has a reason to move.",
    "P9": "A visit has its own key, and one idempotency key for all its attempts.",
    "T1": "A run ends at most once.",
    "T2": "A run ends as it should: nothing left, a failure for good, or a cancel.",
    "T3": "The end is the last entry.",
    "T5": "What is left of a pruned run is one entry, which says how it ended before that.",
    "M1": "A visit opens one gate or await, and a run has one hold at most.",
    "M2": "An answer names an open gate, and is one that its kind allows.",
    "M3": "A gate is answered at most once.",
    "M4": "Receipt, answer or message and what follows are one append, as the gate said.",
    "M5": "Who approves or rejects is named, in the receipt and in the answer.",
    "M6": "Only a time-out that is over ends a gate or an await, and only an open one.",
    "M7": "The oldest message goes to the oldest visit, one each, and none beyond the visits.",
    "S1": "Undoing starts after a failure for good or a cancel, and nothing goes forward then.",
    "S2": "Only what took effect and has a callback is undone, each at most once.",
    "S3": "What was applied last is undone first, one at a time, once nothing is claimed.",
    "S4": "An undo's input names the visit that it undoes.",
    "S5": "Undoing ends after the last candidate, and the end lists what is not undone.",
    "I1": "A start's key belongs to one run, whose id is made of it.",
    "I2": "A command's key has one receipt in a run.",
    "I3": "A window of a schedule has one run, whose id is made of it.",
    "I4": "A replay names its source, brings its input and results, and repeats nothing unasked.",
    "L1": "A child's id is made of its parent, step, workflow, trigger and key.",
    "L4": "No run has itself as an ancestor, more than 8 of them, or over 1,000 children.",
}


@frozen(kw_only=True)
class Violation:
    """One entry, or one append, that breaks a rule."""

    rule: Rule
    run_id: RunId
    #: The entry that breaks the rule, or the last of the append that does.
    revision: Revision
    #: What was found, and what was expected.
    message: str
    details: Mapping[str, object] = Factory(dict)


@frozen(kw_only=True)
class Report:
    """What became of checking a run or a store."""

    violations: tuple[Violation, ...] = ()
    #: Entries that were read.
    entries: int = 0
    runs: int = 0

    @property
    def clean(self) -> bool:
        """Whether no rule is broken."""
        return not self.violations

    @property
    def rules(self) -> frozenset[Rule]:
        """The rules that are broken."""
        return frozenset(violation.rule for violation in self.violations)


class Findings:
    """Violations while they are collected."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.entries = 0

    def note(
        self, rule: Rule, run_id: RunId, revision: Revision, message: str, **details: object
    ) -> None:
        """Write one violation down."""
        self.violations.append(
            Violation(rule=rule, run_id=run_id, revision=revision, message=message, details=details)
        )
