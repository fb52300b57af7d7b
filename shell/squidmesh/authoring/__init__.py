"""
The authoring half: a workflow is a class, and the class becomes a spec.

    frames ── where a host's line is, and which names it can see
    hints ─── annotations, resolved with those names
    contracts, encode, decode ── classes of hosts ↔ fields and JSON
    paths ─── `node.out.score < 30` recorded as data
    nodes, gates, triggers ── what a class body is made of
    wiring, compile ── from those to the spec, all problems at once
    workflow, builder ── the two ways to write one
    signature ── how the runtime calls a step

Start reading with `workflow`.
"""
