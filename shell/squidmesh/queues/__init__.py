"""
Queues as data: what limits each, what was done to it, and how things stand there.

Whether an attempt may start now is not decided here but in `squidmesh_core.plan.admission`.
"""
