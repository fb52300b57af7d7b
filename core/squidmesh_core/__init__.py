"""
The pure core of squidmesh: it decides, and never touches the outside world.

What flows where:

    definition   what a workflow is             Spec, validation, fingerprint
    protocol     what was said and happened     Command, Entry, codec, hash chain
    state        what that adds up to           fold: entries → RunState
    plan         what comes next                routes, joins, retries, waits
    decide       what may be done               (RunState, Spec, Command, now) → Decision
    views        what one can ask               inspection, index rows, listing
    checker      a second opinion               (appends, Spec) → Report

Open first: `protocol/entries.py` (the facts), then `state/fold.py` (what they
add up to), then `decide/` (one module per command family).

Import order: errors, ids, values, canonical ← definition | protocol ← state ←
plan ← decide ← views; the checker stands on definition and protocol alone, and
nothing stands on it.  No clock, no chance, no I/O: instants, identities and
drawn numbers come in as arguments.
"""
