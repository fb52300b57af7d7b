"""
What was said and what happened: commands, entries, and their wire forms.

`entries` holds the facts of a run, one closed union.  `commands` holds the
requests that may lead to facts.  `rows` holds what an adapter indexes,
`notices` what hooks are told.  `chain` is the append record and its hash.

Asking: `requests` makes commands with their digest (`digests`), `signals` are
commands as data, `cloudevents` is how those travel between systems.

The wire form: `wire` has names, versions and small forms, `converter` defines
the rest, `codec` does the same fast (by `members`, `texts`, `reading` and
`making`), `columns` and `leaves` do it for thousands of records at once,
`upcast` reads old versions, `schemas` describes it to others.
"""
