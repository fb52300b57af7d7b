"""
How the picture looks: one style sheet and one sign for each status.

All selectors begin with the picture's own class, so that a page that takes the
picture in keeps its own look.  Colours follow the reader's, light or dark.
"""

from collections.abc import Mapping
from typing import Final

from squidmesh_core.views.steps import StepStatus

#: Name → light and dark; GitHub's Primer palette, whose pairs read well on their grounds.
_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "ground": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#59636e", "#9198a1"),
    "line": ("#6e7781", "#848d97"),
    "pale": ("#c3cad1", "#3d444d"),
    "completed": ("#1a7f37", "#3fb950"),
    "completed-fill": ("#e9f7ed", "#10261a"),
    "failed": ("#cf222e", "#f85149"),
    "failed-fill": ("#ffecea", "#2f1416"),
    "running": ("#0969da", "#58a6ff"),
    "running-fill": ("#e4f1ff", "#0e2238"),
    "late": ("#9a6700", "#d29922"),
    "late-fill": ("#fff6d6", "#2b2210"),
    "paused": ("#8250df", "#b083f0"),
    "paused-fill": ("#f6effe", "#221a35"),
    "waiting": ("#818b98", "#656c76"),
    "waiting-fill": ("#f6f8fa", "#151b23"),
}
#: Status → which of the colours above is its own.
_OWN: Final[Mapping[StepStatus, str]] = {
    "waiting": "waiting",
    "pending": "running",
    "running": "running",
    "retrying": "late",
    "deferred": "late",
    "paused": "paused",
    "completed": "completed",
    "failed": "failed",
}
_RULES: Final = """\
.sqm{font-family:ui-sans-serif,system-ui,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif}
.sqm .ground{fill:var(--sqm-ground)}
.sqm text{fill:var(--sqm-ink)}
.sqm .head{font-size:16px;font-weight:600}
.sqm .muted{fill:var(--sqm-muted);font-size:11.5px}
.sqm .name,.sqm .label text{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
.sqm .name{font-size:13px;font-weight:600}
.sqm .own{fill:var(--sqm-own)}
.sqm .box{fill:var(--sqm-fill);stroke:var(--sqm-own);stroke-width:1.5}
.sqm .pending .box{fill:var(--sqm-ground)}
.sqm .compensation .box{stroke-dasharray:6 3}
.sqm .halo{fill:none;stroke:var(--sqm-own);stroke-width:5;opacity:.28}
.sqm .sign{fill:none;stroke:var(--sqm-own);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.sqm .sign.full{fill:var(--sqm-own)}
.sqm .beyond{opacity:.55}
.sqm .beyond .box{stroke-dasharray:2 4}
.sqm .way{fill:none;stroke:var(--sqm-line);stroke-width:1.5}
.sqm .tip{fill:var(--sqm-line)}
.sqm .selected .way{stroke:var(--sqm-ink);stroke-width:2.75}
.sqm .selected .tip{fill:var(--sqm-ink)}
.sqm .skipped .way{stroke:var(--sqm-pale);stroke-dasharray:4 4}
.sqm .skipped .tip{fill:var(--sqm-pale)}
.sqm .blocked .way,.sqm .blocked .tip{stroke:var(--sqm-failed);stroke-dasharray:2 3}
.sqm .blocked .tip{fill:none;stroke-width:3;stroke-dasharray:none}
.sqm .undo .way{stroke:var(--sqm-late);stroke-dasharray:1 5;stroke-linecap:round}
.sqm .undo .tip{fill:var(--sqm-late)}
.sqm .selected.astray .way{stroke:var(--sqm-failed)}
.sqm .selected.astray .tip{fill:var(--sqm-failed)}
.sqm .label rect{fill:var(--sqm-ground);stroke:var(--sqm-pale)}
.sqm .label text{font-size:11px;text-anchor:middle}
.sqm .label .values{fill:var(--sqm-running);font-style:italic}
.sqm .label.selected rect{stroke:var(--sqm-ink)}
.sqm .label.selected.astray rect{stroke:var(--sqm-failed)}
.sqm .label.skipped text{fill:var(--sqm-muted)}
"""

#: What a sign is drawn with, in a square of 16; `full` signs are filled.
SIGNS: Final[Mapping[StepStatus, tuple[str, bool]]] = {
    "completed": ("M2.5 8.5l3.6 3.6L13.5 4.5", False),
    "failed": ("M4 4l8 8M12 4l-8 8", False),
    "running": ("M5 3.2v9.6l8-4.8z", True),
    "retrying": ("M12.9 6.2A5.4 5.4 0 1 0 13.2 9.6M13.2 2.6v3.8h-3.8", False),
    "deferred": ("M8 2.2a5.8 5.8 0 1 0 0 11.6a5.8 5.8 0 1 0 0-11.6M8 5v3.2l2.2 1.6", False),
    "paused": ("M5.5 3.5v9M10.5 3.5v9", False),
    "pending": ("M8 3a5 5 0 1 0 0 10a5 5 0 1 0 0-10z", False),
    "waiting": ("M8 6.9a1.1 1.1 0 1 0 0 2.2a1.1 1.1 0 1 0 0-2.2z", True),
}


def style_sheet() -> str:
    """The rules, with the colours for both grounds."""
    light, dark = (
        "".join(f"--sqm-{name}:{pair[i]};" for name, pair in _COLOURS.items()) for i in (0, 1)
    )
    own = "".join(
        f".sqm .{status}{{--sqm-own:var(--sqm-{colour});--sqm-fill:var(--sqm-{colour}-fill)}}\n"
        for status, colour in _OWN.items()
    )
    return (
        f".sqm{{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{.sqm{{{dark}}}}}\n{own}{_RULES}"
    )
