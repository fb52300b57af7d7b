"""
Visibility: who may see what of a run, by three scopes (specs/protocol.md §7).

    external   status, current nodes, the shape of the workflow
    operator   and reasons, counts, times, owners, kinds of errors, the runtime's own messages
    auditor    everything, what a definition calls sensitive too

What is not listed is hidden, so a new member shows nothing until somebody decides
who sees it:

    rules       what a table says of a member
    tables      the members of every view
    entries     the members of every journal entry
    failures    what of an error is the runtime's own
    telling     what an explanation says without anybody's words
    hiding      what stands in the place of a hidden member, by its type
    records     what becomes of each member of a record
    copying     a record like another but for some members, quickly
    documents   redaction of plain data: views as `to_dict` writes them, entries, and others
    redacting   one door for both

Open `rules` and `tables` first.
"""

from squidmesh_core.values.scope import SCOPES, Scope
from squidmesh_core.views.plain import HIDDEN_AT
from squidmesh_core.views.visibility.entries import ENTRIES
from squidmesh_core.views.visibility.redacting import Redaction
from squidmesh_core.views.visibility.tables import VIEWS

__all__ = ["CORE", "HIDDEN_AT", "SCOPES", "Redaction", "Scope", "redact"]

#: Redaction of everything that the core knows.
CORE = Redaction({**VIEWS, **ENTRIES})

redact = CORE.redact
