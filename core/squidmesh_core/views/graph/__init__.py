"""
The graph of a run: its definition, and how far the run is on it, as data and as pictures.

    records    what a graph is made of            RunGraph, GraphNode, GraphEdge
    building   (state, spec, now) → RunGraph      edges, undoing
    layout     where boxes and lines go           for the pictures that have to know
    words      what boxes and lines say
    svg, mermaid, dot, ascii                      one drawing each
    figures, strokes, style                       what the picture is made of
    schema     the JSON Schema of `to_dict`

It is drawn from the stored definition, so code that is gone changes nothing,
and from persisted decisions, so a route that was taken is never guessed.
Open `records` first, then `building`.
"""

from squidmesh_core.views.graph.building import graph
from squidmesh_core.views.graph.records import GraphEdge, GraphNode, RunGraph

__all__ = ["GraphEdge", "GraphNode", "RunGraph", "graph"]
