"""The JSON Schema of a graph's `to_dict`, for specs/views/."""

from typing import cast

from squidmesh_core.views.graph.records import ENDS, RunGraph
from squidmesh_core.views.schemas import view_schema


def graph_schemas() -> dict[str, dict[str, object]]:
    """The schema under the name of its file; the ends of an edge are called as it writes them."""
    schema = view_schema(RunGraph)
    edge = cast("dict[str, dict[str, object]]", schema["$defs"])["GraphEdge"]
    members = cast("dict[str, object]", edge["properties"])
    written = {ENDS.get(name, name): member for name, member in members.items()}
    edge.update(properties=written, required=list(written))
    return {"graph.schema.json": schema}
