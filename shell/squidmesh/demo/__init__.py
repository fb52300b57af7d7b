"""
The demonstration: a shop's orders, from a spreadsheet's export to the carrier.

`workflow`, `orders`, `intake`, `app`, and the outside world to practise on (`ledger`,
`gateway`, `warehouse`, `bank`) are what a host application would have;
`examples/order_fulfilment/` in the repository holds equal copies to play with.
The other modules are the machinery of `squidmesh demo`.
"""
