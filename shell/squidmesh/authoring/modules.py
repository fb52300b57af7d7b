"""What stored definitions call a class or a function: the same in every process."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

#: What the module that was started is called, in its process and in those that it spawns.
_STARTED: Final = frozenset({"__main__", "__mp_main__"})


def class_name(cls: type) -> str:
    """`module.qualname` of a class; the module has the name that it is imported by."""
    return f"{imported_name(cls.__module__)}.{cls.__qualname__}"


def qualified_name(subject: object) -> str:
    """The same of a workflow or a function, without `<locals>.`."""
    module = imported_name(getattr(subject, "__module__", None) or "")
    name = getattr(subject, "__qualname__", type(subject).__qualname__)
    return f"{module}.{name}".replace("<locals>.", "")


def imported_name(module: str) -> str:
    """The name by which others import a module, also the one that was started."""
    if module not in _STARTED:
        return module
    started = sys.modules.get(module)
    spec: ModuleSpec | None = getattr(started, "__spec__", None)
    if spec is not None:  # python -m shop.flows
        return spec.name
    file: str | None = getattr(started, "__file__", None)
    return Path(file).stem if file else "__main__"
