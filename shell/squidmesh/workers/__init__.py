"""
Workers: what takes attempts, performs them, and settles what came of it.

    loop        the two loops of a worker, as generators of requests
    worker      the threads that drive them; `slots` and `places` are what they fill
    taking      claims in batches, in one transaction with their facts
    crew        who works; `carry`, one claim to its end
    calling     the claimed step, its lease kept and its time limited
    settling    what came of it, with the next attempt, in one append
    perform     the call of the step itself
    heartbeat   leases kept alive; `timelimits`, steps that take too long
    registry    who works; `processes`, several of them under one

Begin at `loop.py`.
"""
