"""What is asked for: filters of one network removed in steps, down to a share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from facebench.base.errors import UserError
from facebench.base.text import fraction
from facebench.lab.filters.importance import check_criterion
from facebench.lab.laboratory.work_folder import check_name

MOST_STEPS = 1000
STEP, UNTIL = Fraction(1, 100), Fraction(60, 100)
FINE_TUNE, IMPORTANCE_BATCHES = 20, 16


@dataclass(frozen=True)
class FilterPlan:
    """Iterative removal of filters.

    start: the card, or what a user calls it; model: name of the series, whose points are called
    ``MODEL_05`` …; step: share of the ORIGINAL number of filters that a step removes; until: share
    removed in all; points: shares at which a card is written, empty: every step; fine_tune:
    mini-batches of training after each step; point_fine_tune: further ones before each card, which
    the next step starts from; importance_batches: mini-batches of training faces that importance is
    summed over, drawn anew for every step; protocols: to evaluate each point on.

    Source: Molchanov et al. 2019, Importance Estimation for Neural Network Pruning (remove a few,
    train a little, again); Alonso-Fernandez et al., Taylor scores for face networks.
    """

    start: str
    model: str
    criterion: str = "taylor"
    step: Fraction = STEP
    until: Fraction = UNTIL
    points: tuple[Fraction, ...] = ()
    fine_tune: int = FINE_TUNE
    point_fine_tune: int = 0
    importance_batches: int = IMPORTANCE_BATCHES
    seed: int = 0
    protocols: tuple[str, ...] = ()
    licence: str = ""

    def __post_init__(self) -> None:
        check_name("--name", self.model)
        check_criterion(self.criterion)
        if not 0 < self.step <= self.until < 1:
            raise UserError(
                f"--step {written(self.step)} --until {written(self.until)}: shares of filters "
                "between 0% and 100%, the step not larger than the end"
            )
        if self.steps > MOST_STEPS:
            raise UserError(
                f"--step {written(self.step)} --until {written(self.until)}: {self.steps:,} steps, "
                f"each with a training; at most {MOST_STEPS:,}"
            )
        for point in self.points:
            if not 0 < point <= self.until:
                raise UserError(f"--points {written(point)}: not between 0% and --until")
            if point != self.until and point % self.step:
                near = {point // self.step * self.step, -(-point // self.step) * self.step}
                raise UserError(
                    f"--points {written(point)}: no step of {written(self.step)} ends there; write "
                    f"{' or '.join(written(min(n, self.until)) for n in sorted(near) if n)}"
                )
        if min(self.fine_tune, self.point_fine_tune) < 0 or self.importance_batches < 1:
            raise UserError("mini-batches cannot be negative, and importance needs one at least")
        for name in self.marks.values():  # a point's name is longer
            check_name("--name", name)

    @property
    def steps(self) -> int:
        """Number of steps; the last may be smaller."""
        return -(-self.until // self.step)

    def share_at(self, step: int) -> Fraction:
        """Share of the filters to be gone after a step."""
        return min(step * self.step, self.until)

    @property
    def marks(self) -> dict[int, str]:
        """Names of the models by the step that makes them: where a point's share is reached."""
        wanted = self.points or tuple(self.share_at(k) for k in range(1, self.steps + 1))
        numbers = {-(-share // self.step): share for share in sorted({*wanted, self.until})}
        return {k: f"{self.model}_{_number(self.share_at(k))}" for k in sorted(numbers)}


def written(share: Fraction) -> str:
    """``5%`` or ``2.5%``, as `parse_share` reads it."""
    return f"{float(100 * share):g}%"


def parse_share(text: str, option: str) -> Fraction:
    """``5%``, ``0.05`` or ``1/20`` → 1/20, exactly; UserError names the option."""
    number = text.strip()
    try:
        share = fraction(number.removesuffix("%"))
    except ValueError:
        raise UserError(f"{option} {text}: write a share such as 5% or 0.05") from None
    if number.endswith("%"):
        return share / 100
    if share > 1:
        raise UserError(f"{option} {text}: is more than all; write {number}% or {_plain(share)}")
    return share


def parse_points(texts: Sequence[str]) -> tuple[Fraction, ...]:
    """``["5%,10%", "20%"]`` → three shares; UserError: texts that name none."""
    shares = tuple(
        parse_share(part, "--points") for text in texts for part in text.split(",") if part.strip()
    )
    if texts and not shares:
        raise UserError(f"--points {' '.join(texts)}: names no share; write 5%,10%,20%")
    return shares


def _plain(share: Fraction) -> str:
    """``0.6`` for 60 that was meant as percent."""
    return f"{float(share / 100):g}"


def _number(share: Fraction) -> str:
    """``05`` for 5%, so that names sort; ``02.5`` for 2.5%."""
    value = f"{float(100 * share):.6g}"
    return value if value.partition(".")[0][1:] else f"0{value}"
