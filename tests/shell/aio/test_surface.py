"""`AsyncMesh` has the verbs of `Mesh`: same names, same parameters, awaited."""

import inspect
from collections.abc import Callable

import pytest

from squidmesh import AsyncMesh, Mesh

#: Plain calls in both classes: nothing of them waits for the storage.
PLAIN = {"on", "open", "redact", "using", "worker"}
#: What the two return that is each one's own.
OWN = {
    "AsyncWorker": "Worker",
    "AsyncIterator": "Iterator",
    "AsyncMesh": "Mesh",
}
VERBS = sorted(
    name
    for name in dir(Mesh)
    if not name.startswith("_") and inspect.isfunction(getattr(Mesh, name))
)


def public(of: type) -> set[str]:
    """The public names of a class and of its instances."""
    return {name for name in dir(of) if not name.startswith("_")}


def returned(verb: Callable[..., object]) -> str:
    """What a verb returns, the classes of event loops named as those of threads."""
    said = inspect.formatannotation(inspect.signature(verb).return_annotation)
    for awaited, sync in OWN.items():
        said = said.replace(awaited, sync)
    return said


def test_the_public_names_are_the_same() -> None:
    """Whatever one has, the other has; attributes of instances are counted by the verbs below."""
    assert public(Mesh) - {"actions", "engine"} == public(AsyncMesh) - {"actions", "engine"}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_takes_the_same(name: str) -> None:
    """Parameter by parameter: name, kind, default and type."""
    sync, awaited = (inspect.signature(getattr(cls, name)) for cls in (Mesh, AsyncMesh))

    # As text: type variables are each module's own.
    assert list(map(str, sync.parameters.values())) == list(map(str, awaited.parameters.values()))


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_awaited_unless_it_waits_for_nothing(name: str) -> None:
    """Coroutines, but for `journal`, which is iterated over."""
    verb = getattr(AsyncMesh, name)

    awaited = inspect.iscoroutinefunction(verb) or inspect.isasyncgenfunction(verb)
    assert (name not in PLAIN) == awaited


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_returns_the_same(name: str) -> None:
    """The same records; workers and iterators are those of event loops."""
    assert returned(getattr(Mesh, name)) == returned(getattr(AsyncMesh, name))


def test_both_open_with_the_same_options() -> None:
    """A host that changes the class changes nothing else."""
    sync, awaited = (inspect.signature(cls.open) for cls in (Mesh, AsyncMesh))

    assert list(sync.parameters.values()) == list(awaited.parameters.values())
