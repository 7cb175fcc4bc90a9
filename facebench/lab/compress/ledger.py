"""Which verdicts some people have given already, whatever folder of work asked them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facebench.base.errors import UserError
from facebench.base.storage import cache_folder, write_atomically
from facebench.gate.judge import Judgement
from facebench.gate.rules import Rule
from facebench.lab.laboratory.work_folder import read_kept
from facebench.protocols.kinds.verification import PreparedVerification


@dataclass(frozen=True)
class Earlier:
    """Verdicts before one. same: of just these people; some: of others among whom some of these
    are; share: of these people, at most, who were among those of one such verdict.
    """

    same: int = 0
    some: int = 0
    share: float = 0.0

    @property
    def words(self) -> str:
        """What is to be said of it; nothing where these people are asked for the first time."""
        if not self.same and not self.some:
            return ""
        told = [f"these people have given {_verdicts(self.same)} before"] if self.same else []
        if self.some:
            told.append(
                f"up to {self.share:.0%} of these people were among those who gave "
                f"{_verdicts(self.some)}{' more' if self.same else ''} before"
            )
        return f"{'; '.join(told)}: the level is that of a first look; other people tell more"


@dataclass(frozen=True)
class Ledger:
    """The verdicts of all runs, a file each: the cache is the one place that all of them know.

    people: of the half that decides, as `people_of` gives them.
    """

    people: frozenset[str]
    folder: Path

    @classmethod
    def of(cls, half: PreparedVerification) -> Ledger:
        """Of the people of one half."""
        return cls(people_of(half), cache_folder() / "verdicts")

    def note(self, run: str, rule: Rule, outcome: Judgement) -> Earlier:
        """Write down a run's verdict, once, and say what there was before it.

        run: the name of its folder, which is of everything that the verdict depends on.
        """
        path = self.folder / f"{run}.json"
        if not path.exists():
            told = {
                "rule": rule.text,
                "outcome": outcome,
                "earlier": vars(self._earlier()),
                "people": sorted(self.people),
            }
            write_atomically(path, json.dumps(told).encode())
        return earlier_of(read_kept(path, "earlier")["earlier"])

    def _earlier(self) -> Earlier:
        others = [self._asked(path) for path in sorted(self.folder.glob("*.json"))]
        common = [len(self.people & people) for people in others if people != self.people]
        most = max(common, default=0) / max(len(self.people), 1)
        return Earlier(
            sum(people == self.people for people in others), sum(map(bool, common)), most
        )

    def _asked(self, path: Path) -> frozenset[str]:
        """Who gave a verdict; nobody, where its file is no longer whole."""
        try:
            return frozenset(map(str, read_kept(path, "people")["people"]))
        except (UserError, TypeError):
            return frozenset()


def earlier_of(told: Any) -> Earlier:
    """What a file says of earlier verdicts; UserError: it is something else."""
    try:
        return Earlier(int(told["same"]), int(told["some"]), float(told["share"]))
    except (TypeError, KeyError, ValueError):
        raise UserError("a verdict's file does not say how many there were before it") from None


def people_of(half: PreparedVerification) -> frozenset[str]:
    """Everybody in a half by a hash of the name, 12 hexadecimal digits; a number names nobody
    outside its data, so that it has their name beside it.
    """
    compared, data = half.comparisons, half.faces.name
    names = compared.people
    if names is None:
        assert compared.subjects is not None  # see `halves_of`
        names = frozenset(str(number) for number in set(compared.subjects.tolist()))
    known = (name if re.search("[^0-9]", name) else f"{data} {name}" for name in names)
    return frozenset(hashlib.sha256(name.encode()).hexdigest()[:12] for name in known)


def _verdicts(count: int) -> str:
    return f"{count} verdict{'s' * (count > 1)}"
