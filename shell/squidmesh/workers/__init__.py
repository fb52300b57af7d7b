"""
Workers: what takes attempts, performs them, and settles what came of it.

    loop        the two loops of a worker, as generators of requests
    worker      the threads that drive them; `slots` and `places` are what they fill
    taking      claims in batches, in one transaction with their facts
    carry       a claim from its first heartbeat to its settlement
    perform     the call of the step itself
    heartbeat   leases kept alive; `timelimits`, steps that take too long
    registry    who works; `processes`, several of them under one

Begin at `loop.py`.
"""
