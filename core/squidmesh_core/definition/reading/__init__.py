"""
From untrusted JSON-like data to records, with every problem at once.

    source     one JSON object being read: its members, its place, its problems
    members    what one member may be: texts, whole numbers, names, durations
    policies   retries, deadlines, conditions, bindings
    schedule   cron expressions and time zones
    fields     payload fields and triggers
    nodes      steps of every kind
    document   the whole spec

A reader raises `UnreadableError` for what it cannot take; `Source` makes it a problem.
These modules judge each member by itself; what only shows between members
(graph, data flow) is judged by `definition.validate`, on the records.
"""
