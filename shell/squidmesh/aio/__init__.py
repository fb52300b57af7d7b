"""
The runtime on a host's event loop.

    AsyncMesh ── prepares like Mesh ──▶ AsyncDoor ── drives the same trips ──▶ Committer
        │                                                                         │
        └─ worker ── drives the same loops, steps are tasks of the host's loop    ▼
                                                                             AsyncJournal

Nothing is decided here: the generators of `squidmesh.door.handle` and `squidmesh.workers.loop`
are driven by coroutines instead of threads, and what reads at length runs beside
the loop (`AsyncEngine.aside`).  Begin at `mesh.py`; `door.py` is the way to the journal.
"""
