"""The search for a better preparation: one change at a time, then jointly, by successive halving.

Source: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization" (every round looks at more pairs and at fewer candidates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from time import perf_counter

from facebench.base.errors import UserError
from facebench.models.doctor.passes import Passes
from facebench.models.doctor.trial import AXES, Choices, Trial
from facebench.statistics.paired import Difference

RUNGS = (60, 200, 600)
_KEPT = (6, 3)  # candidates that go on after the first and the second round
_JOINT = 4  # axes that are changed together
_LEVEL = 0.05


@dataclass
class Search:
    """A search from a given trial. budget: seconds; clock: tells them.

    looked: d′ of every trial that was looked at, on the first round's pairs; said: what was left
    out for the budget; pairs: of the last round; leader: the best of them, told apart or not.
    """

    passes: Passes
    choices: Choices
    given: Trial
    budget: float
    step: Callable[[], None]
    clock: Callable[[], float] = perf_counter
    looked: dict[Trial, float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    pairs: int = 0

    def __post_init__(self) -> None:
        self._began = self.clock()
        whole = len(self.passes.pairs)
        self._rungs = tuple(dict.fromkeys(min(rung, whole) for rung in RUNGS))
        self.pairs, self.leader = self._rungs[0], self.given

    def run(self, others: Iterable[Trial] = ()) -> Trial:
        """The trial that is best by as many pairs as the budget allows, as near to the given one as
        the data tell. others: whole preparations that are looked at, too.
        """
        self._look([self.given])
        self._look([*self.choices.singles(self.given), *others])
        self._look(self._joint())
        self._look(self.choices.singles(self._best()))
        kept = sorted(self.looked, key=self._value)
        for rung, most in zip(self._rungs[1:], _KEPT, strict=False):
            kept = kept[:most]
            if not self._affords([self.given, *kept], rung):
                self.said.append(
                    f"the budget of {self.budget:g} s does not carry {rung} pairs: the verdict is "
                    f"by {self.pairs}; --budget gives more"
                )
                break
            values = {trial: self.passes.separation(trial, rung) for trial in (*kept, self.given)}
            self.pairs = rung
            kept.sort(key=lambda trial: -values[trial])
            self.step()
        self.leader = kept[0]
        return self._nearest(self.leader)

    def compare(self, base: Trial, other: Trial) -> Difference:
        """d′ of one trial less that of another, on the last round's pairs."""
        one, two = (self.passes.scores(trial, self.pairs) for trial in (base, other))
        return self.passes.difference(one, two)

    def told_apart(self, found: Difference) -> bool:
        """Whether chance explains a difference badly, after all trials that were looked at."""
        return found.p_value * max(1, len(self.looked) - 1) < _LEVEL

    def _value(self, trial: Trial) -> float:
        return -self.looked[trial]

    def _best(self) -> Trial:
        return min(self.looked, key=self._value)

    def _look(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            if trial in self.looked:
                continue
            if self.looked and self.clock() - self._began > self.budget / 2:
                self._leave_out()
                return
            try:
                self.looked[trial] = self.passes.separation(trial, self._rungs[0])
            except UserError:
                if trial == self.given:
                    raise
            self.step()

    def _leave_out(self) -> None:
        text = (
            f"half of the budget of {self.budget:g} s ended before all was tried; --budget gives "
            "more"
        )
        if text not in self.said:
            self.said.append(text)

    def _joint(self) -> list[Trial]:
        """The best value of each axis that gains anything, in all combinations of the first few;
        and all orders of colours with all normalisations, since with one of them wrong the other
        may show nothing.
        """
        base = self.looked[self.given]
        gains = []
        for axis in AXES:
            own = [trial for trial in self.looked if trial.differs(self.given) == [axis]]
            best = min(own, key=self._value, default=self.given)
            if self.looked[best] > base:
                gains.append((self.looked[best], axis, best.value(axis)))
        gains.sort(key=lambda one: -one[0])
        found = [
            self.given.changed("normalisation", normalisation).changed("colour", colour)
            for colour in self.choices.values.get("colour", ())
            for normalisation in self.choices.values.get("normalisation", ())
        ]
        for taken in product((False, True), repeat=len(gains[:_JOINT])):
            trial = self.given
            for use, (_, axis, value) in zip(taken, gains, strict=False):
                trial = trial.changed(axis, value) if use else trial
            found.append(trial)
        return found

    def _affords(self, trials: list[Trial], pairs: int) -> bool:
        """Whether what is left of the budget carries a round, at the speed so far."""
        passes = self.passes
        new = passes.pairs.faces_of(pairs) - passes.pairs.faces_of(self.pairs)
        sides = sum(1 + (trial.prepared.flip != "none") for trial in set(trials))
        takes = new * sides * passes.seconds / max(1, passes.faces)
        return self.clock() - self._began + takes <= self.budget

    def _nearest(self, best: Trial) -> Trial:
        """The best with every change taken back that is not told apart."""
        left = best.differs(self.given)
        while left:
            backs = []
            for axis in left:
                back = best.changed(axis, self.given.value(axis))
                backs.append((self.compare(back, best), axis, back))
                self.step()
            found, axis, back = min(backs, key=lambda one: one[0].estimate)
            if found.estimate > 0 and self.told_apart(found):
                break
            best, left = back, [one for one in left if one != axis]
        return best
