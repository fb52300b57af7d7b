"""The normative pages in specs/ name what the code has, and tests that are there."""

import re
from pathlib import Path

import pytest

from squidmesh_core.checker import RULES
from squidmesh_core.checker import report as checker_report

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"

#: A row of a table of rules: id, sentence, what holds it.
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
#: A file of the tests, named from the root or from tests/.
NAMED = re.compile(r"`(?:tests/)?([a-z]+/[a-z_/]*[a-z_]+\.py)`")
#: A clause of the protocol as its headings and its numbered list have them.
CLAUSE = re.compile(r"^## §(\d)|^(\d+)\. \*\*", re.MULTILINE)
#: What is cited beside a section sign: a page of ours, or one on the web; further clauses follow.
CITED = re.compile(r"(\S+)\s+((?:§[\d.]*\d(?:, )?)+)")


def rows() -> list[tuple[str, str, str]]:
    """The rules on the page: id, sentence, where it is held."""
    return ROW.findall((SPECS / "invariants.md").read_text(encoding="utf-8"))


def test_invariants_are_those_of_the_checker() -> None:
    """The page has every rule of the checker, word for word and in its order."""
    page = [(rule, sentence) for rule, sentence, _ in rows() if rule in RULES]

    assert list(RULES.items()) == page


def test_invariants_beyond_the_checker_are_those_it_names() -> None:
    """What the checker says that it cannot see is on the page, and nothing else is."""
    said = (checker_report.__doc__ or "").replace("H1 … H6", "H1, H2, H3, H4, H5, H6")
    beyond = set(re.findall(r"\b[THR]\d\b", said))

    assert beyond == {rule for rule, _, _ in rows() if rule not in RULES}


def test_every_invariant_is_held_by_something() -> None:
    """No row is without a test that is named."""
    assert [] == [rule for rule, _, held in rows() if not NAMED.search(held)]


@pytest.mark.parametrize("page", ["invariants.md", "protocol.md"])
def test_named_tests_exist(page: str) -> None:
    """A test that a page relies on is in the repository."""
    named = set(NAMED.findall((SPECS / page).read_text(encoding="utf-8")))

    assert named
    assert set() == {name for name in named if not (ROOT / "tests" / name).exists()}


def test_every_golden_journal_is_named_by_the_protocol_or_its_own_page() -> None:
    """A journal that nobody explains would be kept for ever and understood by nobody."""
    contents = (SPECS / "journals" / "README.md").read_text(encoding="utf-8")
    journals = {path.name for path in (SPECS / "journals").glob("*.jsonl")}

    assert set() == {name for name in journals if f"(./{name})" not in contents}


def test_what_code_cites_is_there() -> None:
    """A clause that a comment names can be looked up by whoever has this repository alone."""
    page = (SPECS / "protocol.md").read_text(encoding="utf-8")
    clauses = {f"§{section}" if section else f"§8.{item}" for section, item in CLAUSE.findall(page)}
    modules = [
        path for room in ("core", "shell", "storage") for path in (ROOT / room).rglob("*.py")
    ]
    texts = {path: path.read_text(encoding="utf-8") for path in modules}

    cited = {
        (str(path.relative_to(ROOT)), source.lstrip("("), clause)
        for path, text in texts.items()
        for source, named in CITED.findall(text)
        for clause in named.split(", ")
        if not source.endswith(".html")
    }

    assert [] == [one for one in sorted(cited) if one[1] != "specs/protocol.md"]
    assert [] == [one for one in sorted(cited) if one[2] not in clauses]
    assert sum(text.count("§") for text in texts.values()) == sum(
        named.count("§") for text in texts.values() for _, named in CITED.findall(text)
    )
