"""
Reading: what hosts see of runs, and who may see what.

The views themselves are pure functions of `squidmesh_core.views`; here is gathered what
they are made of.  None of it writes, but for the mark on a run that turns out damaged.
"""
