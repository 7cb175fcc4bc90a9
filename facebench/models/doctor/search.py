"""The search for a better preparation: one change at a time, then jointly, by successive halving.

Source: Jamieson and Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization" (every round looks at more pairs and at fewer candidates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise, product
from time import perf_counter

from facebench.base.errors import UserError
from facebench.models.doctor.passes import Passes
from facebench.models.doctor.trial import AXES, Choices, Trial, flips
from facebench.statistics.paired import Difference

RUNGS = (60, 200, 600)
_KEPT = (4, 2)  # candidates that go on after the first and the second round
_JOINT = 4  # axes that are changed together
_LEVEL = 0.05


@dataclass
class Search:
    """A search from a given trial, whose result depends on time only where it runs out.

    deadline: when the budget ends, as `clock` tells it, in seconds; step: called after each trial.
    looked: d′ of every trial that was looked at without its mirrored face, on the first round's
    pairs; tried, planned: how many trials were looked at or refused by the network, of how many;
    pairs: of the last round; leader: the best of them, told apart or not.
    """

    passes: Passes
    choices: Choices
    given: Trial
    deadline: float
    step: Callable[[], None]
    clock: Callable[[], float] = perf_counter
    looked: dict[Trial, float] = field(default_factory=dict)
    tried: int = 0
    cut: bool = False
    pairs: int = 0

    def __post_init__(self) -> None:
        whole = len(self.passes.pairs)
        self.rungs = tuple(dict.fromkeys(min(rung, whole) for rung in RUNGS))
        self.pairs, self.leader = self.rungs[0], self.given
        self._start = self.given.changed("flip", "none")
        self._planned: set[Trial] = set()
        self._half = (self.deadline - self.clock()) / 2

    @property
    def planned(self) -> int:
        """See the class."""
        return len(self._planned)

    def run(self, others: Iterable[Trial] = ()) -> Trial:
        """The trial that is best by as many pairs as the budget allows, as near to the given one as
        the data tell. others: whole preparations that are looked at, too.

        The mirrored face, which doubles the work and changes little, comes last.
        """
        self._look([self._start])
        self._look([*self.choices.singles(self._start), *others])
        self._look(self._joint())
        self._look(self.choices.singles(self._nearest(self._best())))
        kept = sorted(self.looked, key=self._value)
        for rung, most in zip(self.rungs[1:], _KEPT, strict=False):
            kept = kept[:most]
            trials = [*dict.fromkeys((*kept, self._start))]
            # What is shown at the end has mirrored faces again.
            shown = [self.given, self._as_given(kept[0]), *kept[1:]]
            if self._carried(shown, rung) < rung:
                break
            values = {trial: self.passes.separation(trial, rung) for trial in trials}
            self.pairs = rung
            kept.sort(key=lambda trial: -values[trial])
            self.step()
        best, leader = self._as_given(self._nearest(kept[0])), self._as_given(kept[0])
        if best != self.given and not self._holds(best):
            best = self.given
        self.leader = leader if self._affords([leader], self.pairs) else best
        return self._mirrored(best)

    def compare(self, base: Trial, other: Trial, pairs: int | None = None) -> Difference:
        """d′ of one trial less that of another, on the last round's pairs or the first few."""
        pairs = self.pairs if pairs is None else pairs
        one, two = (self.passes.scores(trial, pairs) for trial in (base, other))
        return self.passes.difference(one, two)

    def told_apart(self, found: Difference) -> bool:
        """Whether chance explains a difference badly, after all trials that were looked at."""
        return found.p_value * max(1, len(self.looked) - 1) < _LEVEL

    def _as_given(self, trial: Trial) -> Trial:
        return trial.changed("flip", self.given.prepared.flip)

    def _value(self, trial: Trial) -> float:
        return -self.looked[trial]

    def _best(self) -> Trial:
        return min(self.looked, key=self._value)

    def _look(self, trials: Iterable[Trial]) -> None:
        new = [self.choices.settled(trial.changed("flip", "none")) for trial in trials]
        new = [trial for trial in dict.fromkeys(new) if trial not in self._planned]
        self._planned.update(new)
        for trial in new:
            if self.looked and self.clock() + self._reserve() > self.deadline:
                self.cut = True
                return
            try:
                self.looked[trial] = self.passes.separation(trial, self.rungs[0])
            except UserError:
                if trial == self._start:
                    raise
            self.tried += 1
            self.step()

    def _reserve(self) -> float:
        """Seconds that the later rounds will take, or half of the budget where that is less."""
        faces = [self.passes.pairs.faces_of(rung) for rung in self.rungs]
        rounds = zip(_KEPT, pairwise(faces), strict=False)
        takes = sum((most + 1) * (after - before) for most, (before, after) in rounds)
        takes += 2 * faces[-1]  # mirrored, of the given and the best
        return min(takes * self.passes.pace, self._half)

    def _joint(self) -> list[Trial]:
        """The best value of each axis that gains anything, in all combinations of the first few;
        and all orders of colours with all normalisations, since with one of them wrong the other
        may show nothing.
        """
        start = self._start
        gains = []
        for axis in AXES:
            own = [trial for trial in self.looked if trial.differs(start) == [axis]]
            best = min(own, key=self._value, default=start)
            if self.looked[best] > self.looked[start]:
                gains.append((self.looked[best], axis, best.value(axis)))
        gains.sort(key=lambda one: -one[0])
        found = [
            start.changed("normalisation", normalisation).changed("colour", colour)
            for colour in self.choices.values.get("colour", ())
            for normalisation in self.choices.values.get("normalisation", ())
        ]
        for taken in product((False, True), repeat=len(gains[:_JOINT])):
            trial = start
            for use, (_, axis, value) in zip(taken, gains, strict=False):
                trial = trial.changed(axis, value) if use else trial
            found.append(trial)
        return found

    def _affords(self, trials: Iterable[Trial], pairs: int) -> bool:
        """Whether what is left of the budget carries trials, at the pace so far."""
        takes = self.passes.pace * sum(self.passes.missing(trial, pairs) for trial in trials)
        return not takes or self.clock() + takes <= self.deadline

    def _carried(self, trials: list[Trial], most: int) -> int:
        """By how many pairs the budget carries trials; by the first few it always does."""
        rungs = [rung for rung in self.rungs if rung <= most]
        while len(rungs) > 1 and not self._affords(trials, rungs[-1]):
            self.cut = True
            rungs.pop()
        return rungs[-1]

    def _nearest(self, best: Trial) -> Trial:
        """The best with every change taken back that is not told apart, by as many pairs as the
        budget carries.
        """
        left = best.differs(self._start)
        while left:
            backs = {axis: best.changed(axis, self._start.value(axis)) for axis in left}
            pairs = self._carried([*backs.values()], self.pairs)
            found = {axis: self.compare(back, best, pairs) for axis, back in backs.items()}
            self.step()
            axis = min(found, key=lambda one: found[one].estimate)
            if found[axis].estimate > 0 and self.told_apart(found[axis]):
                break
            best = backs[axis]
            left.remove(axis)
        return best

    def _holds(self, best: Trial) -> bool:
        """Whether a trial that was found without the mirrored face is better with it, too: where a
        rule for it normalises and the similarity does not, another one wins without.
        """
        found = self.compare(self.given, best, self._carried([self.given, best], self.pairs))
        return found.estimate > 0 and found.p_value < _LEVEL  # that one of many was chosen is past

    def _mirrored(self, best: Trial) -> Trial:
        """The same under the rule for the mirrored face that is told apart from the given one."""
        others = [best.changed("flip", rule) for rule in flips()]
        others = [trial for trial in others if trial != best]
        if not self._affords([best, others[0]], self.pairs):
            self.cut = True
            return best
        values = {trial: self.passes.separation(trial, self.pairs) for trial in others}
        other = max(values, key=lambda trial: values[trial])
        found = self.compare(best, other)
        return other if found.estimate > 0 and self.told_apart(found) else best
