"""Who is held against whom: models with their sizes, and what each test came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.comparison.paired import Paired
from facebench.comparison.verdict.words import loses
from facebench.records.comparability import names_of
from facebench.records.record import Record
from facebench.records.sections import ModelSection


@dataclass(frozen=True)
class Contender:
    """One model that is held against the reference."""

    name: str
    model: ModelSection
    paired: Paired


@dataclass(frozen=True)
class Contest:
    """Models against one reference, by one statistic: one family of tests, or a part of one."""

    reference: str
    model: ModelSection
    contenders: tuple[Contender, ...]

    @classmethod
    def of(cls, records: Sequence[Record], tests: Sequence[Paired]) -> Contest:
        """Of records, the first of which is the reference, and the tests of the others."""
        name, *others = names_of(records)
        rivals = zip(others, records[1:], tests, strict=True)
        contenders = tuple(Contender(other, r.model, paired) for other, r, paired in rivals)
        return cls(name, records[0].model, contenders)

    def having(self, *verdicts: str) -> list[Contender]:
        """Those whose test came to one of these verdicts."""
        return [one for one in self.contenders if one.paired.verdict in verdicts]

    @property
    def holding(self) -> list[Contender]:
        """Those that neither the test nor their own interval shows to be worse, smallest first."""
        found = self.having("better", "no difference shown")
        return sorted((one for one in found if not loses(one.paired)), key=_size)

    @property
    def passed_over(self) -> list[Contender]:
        """Those smaller than what holds of which only the correction for several tests leaves open
        whether they are worse, the smallest first.
        """
        best = self.smallest
        than = self.model if best is None else best.model
        found = self.having("no difference shown")
        lost = (one for one in found if loses(one.paired) and is_smaller(one.model, than))
        return sorted(lost, key=_size)

    @property
    def smallest(self) -> Contender | None:
        """The smallest that is not shown to be worse and takes less than the reference."""
        first = next(iter(self.holding), None)
        return first if first is not None and is_smaller(first.model, self.model) else None


def _size(one: Contender) -> tuple[float, float]:
    """Bytes, then weights that are kept; what is not known comes last."""
    endless = float("inf")
    told = (one.model.bytes, one.model.kept_parameters)
    size, kept = (endless if number is None else number for number in told)
    return size, kept


def is_smaller(model: ModelSection, than: ModelSection) -> bool:
    """Whether a model takes fewer bytes, or as many and keeps fewer weights."""
    pairs = (
        (model.bytes, than.bytes),
        (model.kept_parameters, than.kept_parameters),
        (model.multiply_adds, than.multiply_adds),
    )
    told = [(one, other) for one, other in pairs if one is not None and other is not None]
    return next((one < other for one, other in told if one != other), False)
