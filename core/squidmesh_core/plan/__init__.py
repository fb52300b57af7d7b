"""
What comes next: pure answers from (state, spec), never from events.

`routes` picks the successor of a node, `progress` says which nodes to enter
and whether the run is over, `compensation` what to undo next, `messages` what
a `receive` node can still take, `retry` how long to wait, `deadline` what is late,
`retention` which finished runs may go, `admission` whether an attempt may start now.
How the state came about does not matter: asking again after a crash gives the
same answer.
"""
