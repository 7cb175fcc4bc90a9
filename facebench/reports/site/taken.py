"""What a model takes, from its record and the costs that were measured of the same weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError, left_out
from facebench.records.costs import COSTS, CostRecord, CostRun, find_costs, read_costs
from facebench.records.record import Record
from facebench.records.sections import ModelSection

MeasuredCosts = Mapping[tuple[str, str], CostRecord]


@dataclass(frozen=True)
class Taken:
    """model: of the record; costs: of the same weights, None: not measured."""

    model: ModelSection
    costs: CostRecord | None

    @property
    def multiply_adds(self) -> int | None:
        """Of one pass of one face, zeros counted, too."""
        own = self.model.multiply_adds
        return self.costs.multiply_adds if own is None and self.costs else own

    @property
    def kept_multiply_adds(self) -> int | None:
        """Without those of weights that are zero."""
        own = self.model.kept_multiply_adds
        found = self.costs.kept_multiply_adds if own is None and self.costs else own
        return self.multiply_adds if found is None else found

    @property
    def run(self) -> CostRun | None:
        """The latest run as facebench itself runs the model."""
        return self.costs.run_of() if self.costs else None

    @property
    def latency(self) -> float | None:
        """Milliseconds of one pass of one face, the median of the rounds."""
        return 1000 * self.run.latency.median if self.run else None


def costs_in(
    folders: Iterable[Path], records: Sequence[Record]
) -> dict[tuple[str, str], CostRecord]:
    """Costs of the records' models by name and hash of weights: of ``costs`` in the folders first,
    then where `find_costs` looks. A file that cannot be read is left out, and named.
    """
    found: dict[tuple[str, str], CostRecord] = {}
    for folder in folders:
        for path in sorted((folder / COSTS).glob("*.json")):
            try:
                costs = read_costs(path)
            except UserError as error:
                left_out(error)
                continue
            found.setdefault((costs.model, costs.weights_hash), costs)
    for model, weights in dict.fromkeys((r.model.id, r.model.weights_hash) for r in records):
        if (model, weights) in found:
            continue
        try:
            others = find_costs(model)
        except UserError as error:
            left_out(error)
            continue
        if others is not None and others.weights_hash == weights:
            found[model, weights] = others
    return found


def taken_of(record: Record, costs: MeasuredCosts) -> Taken:
    """What a record's model takes."""
    return Taken(record.model, costs.get((record.model.id, record.model.weights_hash)))
