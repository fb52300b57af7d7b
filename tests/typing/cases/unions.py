"""A step that returns one of several records: mypy joins them, unless it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from squidmesh import Step, Workflow, manual, step


@dataclass(frozen=True)
class Named:
    name: str


@dataclass(frozen=True)
class Paid:
    number: str


@dataclass(frozen=True)
class Declined:
    why: str


def charge(name: str) -> Paid | Declined:
    return Paid(name)


def thank(outcome: Paid | Declined) -> str:
    return type(outcome).__name__


class Charging(Workflow):
    asked = manual(Named)
    charged: Step[[str], Paid | Declined] = step(charge)
    charged.takes(asked.payload.name)
    thanks = step(thank).takes(charged.out)
    charged.then(thanks)


assert_type(Charging.charged.out, Paid | Declined)
