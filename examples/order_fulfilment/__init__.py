"""Ship a shop's orders: the example that `squidmesh demo` runs."""
