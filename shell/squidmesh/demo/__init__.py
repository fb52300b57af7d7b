"""
The demonstration: a shop's orders, from a spreadsheet's export to the carrier.

`workflow`, `gateway`, `orders`, `intake` and `app` are what a host application would
write; `examples/order_fulfilment/` in the repository holds equal copies to play with.
The other modules are the machinery of `squidmesh demo`.
"""
