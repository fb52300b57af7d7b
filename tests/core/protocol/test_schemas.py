"""The schemas in specs/entries: up to date, true of every entry, and not of damaged ones."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from squidmesh_core.definition.spec import Spec
from squidmesh_core.protocol.codec import encode, entry_to_json
from squidmesh_core.protocol.entries import Entry
from squidmesh_core.protocol.schemas import schemas
from squidmesh_core.protocol.signals.schema import signal_schemas
from squidmesh_core.protocol.wire import VERSIONS
from support.entries import RUN, entries, histories

SPECS = Path(__file__).parents[3] / "specs"
REGISTRY = Registry().with_resources(
    [(name, Resource.from_contents(schema)) for name, schema in schemas().items()]
)
BODY = Draft202012Validator({"$ref": "append.schema.json"}, registry=REGISTRY)


def test_generated_files_are_up_to_date() -> None:
    """`specs/generate.py --check` finds nothing to change."""
    command = [sys.executable, str(SPECS / "generate.py"), "--check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (answer.returncode, answer.stderr)


@pytest.mark.parametrize(("folder", "drawn"), [("entries", schemas), ("signals", signal_schemas)])
def test_the_files_are_what_the_records_say(
    folder: str, drawn: Callable[[], Mapping[str, object]]
) -> None:
    """Each file that others read, member by member."""
    files = {path.name: json.loads(path.read_text()) for path in (SPECS / folder).iterdir()}

    assert files == drawn()


def test_every_schema_is_one() -> None:
    """Each file is a valid schema of its dialect."""
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)


@given(history=histories().filter(bool))
def test_every_append_fits_the_schema(history: tuple[Entry, ...]) -> None:
    """Whatever the codec writes, the schema of the body accepts."""
    assert [] == [error.message for error in BODY.iter_errors(json.loads(encode(history, RUN)))]


@given(entry=entries(), data=st.data())
def test_a_damaged_entry_does_not_fit(entry: Entry, data: st.DataObject) -> None:
    """A missing or unknown member, another version or type, a null: all are refused."""
    written = entry_to_json(entry, RUN)
    schema = schemas()[f"{written['type']}.schema.json"]
    required, properties = schema["required"], schema["properties"]
    assert isinstance(required, list)
    assert isinstance(properties, dict)
    typed = [name for name in written if properties[name] is not True]
    match data.draw(st.sampled_from(["drop", "add", "null", "version"])):
        case "drop":
            del written[data.draw(st.sampled_from(required))]
        case "add":
            written["unheard_of"] = 1
        case "null":
            written[data.draw(st.sampled_from(typed))] = None
        case _:
            written["v"] = 2

    assert not BODY.is_valid([written])


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_the_protocol_page_lists_every_member(name: str) -> None:
    """The table of specs/protocol.md §1 and the records say the same."""
    page = (SPECS / "protocol.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    required, optional = (set(re.findall(r"`(\w+)`", cell)) for cell in row.split("|")[3:5])
    schema = schemas()[f"{name}.schema.json"]
    assert isinstance(schema["required"], list)
    assert isinstance(schema["properties"], dict)
    always = {"type", "v", "at"}

    assert set(schema["required"]) - always == required
    assert set(schema["properties"]) - set(schema["required"]) == optional


def test_the_example_of_the_spec_page_is_a_spec() -> None:
    """Reading the example of specs/spec.md and writing it again gives the same."""
    page = (SPECS / "spec.md").read_text(encoding="utf-8")
    example = json.loads(page.split("```json\n")[1].split("```")[0])

    assert example == Spec.from_dict(example).to_dict()
