"""
The journal contract: what every adapter promises.

    journal      `Journal`, all verbs; a shared transaction; hints of work.  Start here
    loading      reading a journal
    appending    batches, and what became of each
    claiming     what a claim transaction offers, and what is decided about it
    listing      the index: pages of runs, counts, rows
    keeping      beside the journals: definitions, checkpoints, records
    upkeep       how things stand; mending, marking, removing

A module holds first the records that go in and out, then the verbs.  Each promise
is repeated as a test in `squidmesh_storage.conformance`, which any adapter's author
can run.  An adapter decides nothing about workflows: entries and rows come
ready-made from the core, and only the revision, the `append_id` and the clock are
its own business.
"""

from squidmesh_core.protocol.chain import AppendRecord
from squidmesh_core.protocol.rows import Head
from squidmesh_storage.api.appending import Batch, Committed, Conflict, Outcome, Unknown
from squidmesh_storage.api.claiming import (
    LANE_WINDOW,
    Candidate,
    Choice,
    Claimed,
    DecideClaims,
    Lane,
    Offered,
)
from squidmesh_storage.api.journal import Joined, Journal, Wakeups
from squidmesh_storage.api.keeping import Checkpoint, Record
from squidmesh_storage.api.listing import Listed, ListPage, RunFilter, Tally
from squidmesh_storage.api.loading import Loaded, Quarantine
from squidmesh_storage.api.upkeep import Depth, Survey

__all__ = [
    "LANE_WINDOW",
    "AppendRecord",
    "Batch",
    "Candidate",
    "Checkpoint",
    "Choice",
    "Claimed",
    "Committed",
    "Conflict",
    "DecideClaims",
    "Depth",
    "Head",
    "Joined",
    "Journal",
    "Lane",
    "ListPage",
    "Listed",
    "Loaded",
    "Offered",
    "Outcome",
    "Quarantine",
    "Record",
    "RunFilter",
    "Survey",
    "Tally",
    "Unknown",
    "Wakeups",
]
