"""What is asked for: the smallest network that meets a rule, and which moves may be made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal, get_args

from facebench.base.errors import UserError, nearest
from facebench.gate.rules import Rule, parse_rule
from facebench.lab.connections.criteria import CRITERIA
from facebench.lab.laboratory.work_folder import check_name

Objective = Literal["bytes", "multiply-adds", "latency"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
MOVES = ("filters", "connections", "int8")
LEARNS_WHILE_SELECTING = "brp"
FINE_TUNE, CANDIDATES = 50, 24
# How often a candidate that is as good as it was found to be shall pass the one verdict.
CHANCE = 0.8


@dataclass(frozen=True)
class CompressPlan:
    """The smallest network by an objective whose drop stays within a rule.

    start: the card, or what a user calls it; until: one rule of a gate on a protocol's statistic;
    model: name of the new network; moves: in any order; criterion: of connections; fine_tune:
    mini-batches after each step of filters or connections, where there are training faces;
    candidates: at most so many are looked at; seed: of halves, selection and training.
    """

    start: str
    until: str
    model: str
    objective: Objective = "bytes"
    moves: tuple[str, ...] = MOVES
    criterion: str = "magnitude"
    fine_tune: int = FINE_TUNE
    candidates: int = CANDIDATES
    seed: int = 0
    licence: str = ""

    def __post_init__(self) -> None:
        check_name("--name", self.model)
        if self.objective not in OBJECTIVES:
            raise UserError(
                f"--objective {self.objective}: {', '.join(OBJECTIVES)}"
                f"{nearest(self.objective, OBJECTIVES)}"
            )
        for move in self.moves:
            if move not in MOVES:
                raise UserError(f"--moves {move}: {', '.join(MOVES)}{nearest(move, MOVES)}")
        if not self.moves or len(set(self.moves)) < len(self.moves):
            raise UserError(f"--moves: each at most once, one at least, of {', '.join(MOVES)}")
        if self.criterion not in CRITERIA or self.criterion == LEARNS_WHILE_SELECTING:
            names = [name for name in CRITERIA if name != LEARNS_WHILE_SELECTING]
            raise UserError(
                f"--criterion {self.criterion}: connections are chosen by {', '.join(names)}"
                f"{nearest(self.criterion, names)}"
            )
        if self.fine_tune < 0 or self.candidates < 1:
            raise UserError("--steps cannot be negative, and --candidates is at least 1")
        if self.rule.protocol is None:
            raise UserError(
                f"--until {self.rule.text!r}: is of the model's size, which --objective makes "
                "small; write what its quality must be, e.g. 'lfw.accuracy drop <= 0.5pt at 95%'"
            )

    @property
    def rule(self) -> Rule:
        """What decides, on people whom no choice has seen."""
        return parse_rule(self.until, "--until")

    @property
    def choosing(self) -> Rule:
        """What candidates must meet on the people whom they are chosen on: see `choosing_rule`."""
        return choosing_rule(self.rule)

    @property
    def settings(self) -> dict[str, Any]:
        """What candidates depend on, as JSON; not how many are looked at, which may be changed
        until the verdict is given.
        """
        return {
            "until": re.sub(r"\s+", " ", self.until.strip()),
            "objective": self.objective,
            "moves": list(self.moves),
            "criterion": self.criterion,
            "fine_tune": self.fine_tune,
            "seed": self.seed,
        }


def choosing_rule(rule: Rule) -> Rule:
    """The rule with a level at which a candidate passes on one half of the people where it would
    pass the rule on the other half, of as many, four times of five, if its drop were as found.

    The deciding interval ends q standard errors beyond the drop that is found there, which is
    itself z above the true one once in five times: so the interval of choosing is q + z long. A
    rule without a level, or on a value and not a change, chooses as it decides.
    """
    if rule.level is None or rule.change is None:
        return rule
    normal = NormalDist()
    errors = normal.inv_cdf((1 + rule.level) / 2) + normal.inv_cdf(CHANCE)
    return replace(rule, level=2 * normal.cdf(errors) - 1)


def parse_moves(texts: tuple[str, ...]) -> tuple[str, ...]:
    """``("filters,connections", "int8")`` → the three names."""
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
