"""
The demonstration: a shop's orders, from a spreadsheet's export to the carrier.

`workflow`, `gateway`, `orders` and `intake` are what a host application would
write; `examples/order_fulfilment/` holds equal copies of them to play with.
`folder`, `driver` and `crash` are the demonstration's own machinery.
"""
