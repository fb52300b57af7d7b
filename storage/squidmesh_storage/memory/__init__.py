"""
The reference model: what the other adapters are compared with.

    journal.py      the verbs, each under one lock; start here
    tables.py       the dicts that everything is kept in
    appends.py      appends and index rows
    claims.py       what may be claimed, and when next
    facts.py        records outside runs
    loading.py      reading one run         listing.py    pages of runs, and how many
    surveying.py    how things stand

Each verb is written the plainest way there is, and lies where sqlite/ has it, so that
the two can be read side by side.  Nothing survives the process.
"""

from squidmesh_storage.memory.journal import MemoryJournal

__all__ = ["MemoryJournal"]
