"""
What was said and what happened: commands, entries, and their wire forms.

`entries` holds the facts of a run, one closed union.  `commands` holds the
requests that may lead to facts.  `rows` holds what an adapter indexes.
`codec` alone knows JSON names and versions, `upcast` old versions, `chain`
the append record and its hash.
"""
