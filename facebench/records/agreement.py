"""Whether a record's numbers follow from each other, from its scores and from the weights: what was
changed by hand is told when it is read, or before a gate believes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError
from facebench.base.storage import kept, workspace_folders
from facebench.records.groups.made import labelled_in
from facebench.records.record import Record
from facebench.records.scores import ScoreTable
from facebench.records.sections import (
    AccuracySection,
    Estimate,
    IntervalSection,
    RatesSection,
    VerificationSection,
)
from facebench.statistics.intervals.bootstrap import Units
from facebench.statistics.intervals.dyadic import Sharing
from facebench.statistics.intervals.exact import wilson
from facebench.statistics.roc import auc, eer
from facebench.statistics.verification import accuracy_interval

_ROUNDING = 1e-9
_AT_DEPLOYED = ("accuracy", "fmr", "fnmr")
_COSTS = ("parameters", "kept_parameters", "compression_ratio", "bytes")


def require_agreement(record: Record, where: str) -> None:
    """UserError where a number is not what the record's other numbers, or its scores, give.

    where: the record's file. Rates of searches and templates are checked against their parts only;
    bytes and counts of parameters are the evaluation's word, under its seal, until
    `require_recounted` counts them again.
    """
    wrong = next(_wrong(record), None)
    if wrong is not None:
        raise UserError(
            f"{where}: {wrong}; the file was changed after the evaluation: "
            "make it again with `facebench eval`"
        )


def _wrong(record: Record) -> Iterator[str]:
    counts = record.comparisons
    if counts.mated + counts.nonmated != counts.total:
        yield "its mated and non-mated comparisons are not all of its comparisons"
    published = record.protocol.published_comparisons
    if record.protocol.published_list and published not in (0, counts.total):
        yield f"its {counts.total:,} comparisons are not the {published:,} of the published list"
    curve = record.curve
    if curve is not None and (curve.mated, curve.nonmated) != (counts.mated, counts.nonmated):
        yield "its curve is not of its comparisons"
    least = 1
    if isinstance(record.statistics, RatesSection) and record.statistics.parts == "splits":
        least = record.statistics.number_of_parts
    over_rates = next((one.name for one in record.series if one.name != "CMC"), None)
    if over_rates is not None and counts.nonmated < least:
        yield f"its curve {over_rates!r} is over false accepts, of which it has no comparisons"
    if isinstance(record.statistics, RatesSection):
        yield from _wrong_rates(record.statistics)
    else:
        yield from _wrong_shares(record.statistics, counts.mated, counts.nonmated)
        if record.table is not None:
            yield from _wrong_scores(record, record.statistics, record.table)
    for name, estimate in _estimates(record):
        if any(not _holds(estimate, interval) for interval in _intervals(estimate)):
            yield f"its {name} is not within its interval"


def _estimates(record: Record) -> Iterator[tuple[str, Estimate]]:
    statistics = record.statistics
    if isinstance(statistics, RatesSection):
        yield from ((rate.label, rate) for rate in statistics.rates)
        return
    yield "accuracy", statistics.accuracy
    yield "AUC", statistics.auc
    yield "EER", statistics.eer
    yield from ((f"TAR at FAR {point.target:g}", point) for point in statistics.tar_at_far)
    if (deployed := statistics.deployed) is not None:
        yield from ((f"{name}@deployed", getattr(deployed, name)) for name in _AT_DEPLOYED)


def _intervals(estimate: Estimate) -> Iterator[IntervalSection]:
    found = [estimate.interval]
    if isinstance(estimate, AccuracySection):
        found.append(estimate.over_subjects)
    yield from (interval for interval in found if interval is not None)


def _holds(estimate: Estimate, interval: IntervalSection) -> bool:
    """Whether an interval is one and has the value in it.

    A percentile interval of a bootstrap may miss a value at the edge of what is drawn, and Wilson's
    of all comparisons a mean over folds or splits of differing sizes: by less than their width.
    """
    width = interval.high - interval.low
    exact = interval.kind == "wilson" and not isinstance(estimate, AccuracySection)
    slack = _ROUNDING if exact else width + _ROUNDING
    return width >= 0 and interval.low - slack <= estimate.value <= interval.high + slack


def _wrong_rates(statistics: RatesSection) -> Iterator[str]:
    for rate in statistics.rates:
        if not _alike(rate.value, float(np.mean(rate.per_part))):
            yield f"its {rate.label} is not the mean of its {statistics.parts}"


def _wrong_shares(statistics: VerificationSection, mated: int, nonmated: int) -> Iterator[str]:
    accuracy = statistics.accuracy
    if not _alike(accuracy.value, float(np.mean(accuracy.per_fold))):
        yield "its accuracy is not the mean of its folds"
    if not _alike(accuracy.spread, _spread(accuracy)):
        yield "its ± is not that of its folds"
    for name in _AT_DEPLOYED if statistics.deployed is not None else ():
        rate = getattr(statistics.deployed, name)
        share = rate.errors / max(rate.number, 1)
        if not _alike(rate.value, 1 - share if name == "accuracy" else share):
            yield f"its {name}@deployed is not that of its counts of errors"
    for point in statistics.tar_at_far:
        told = (point.value * mated, point.far * nonmated)
        if not np.allclose(told, (point.true_accepts, point.false_accepts), atol=1e-6):
            yield f"its TAR at FAR {point.target:g} is not that of its counts of accepts"


def _spread(accuracy: AccuracySection) -> float:
    folds = np.asarray(accuracy.per_fold)
    if len(folds) < 2:
        return accuracy.spread
    deviation = float(folds.std(ddof=1))
    one = accuracy.spread_kind == "standard deviation"
    return deviation if one else deviation / math.sqrt(len(folds))


def _wrong_scores(
    record: Record, statistics: VerificationSection, table: ScoreTable
) -> Iterator[str]:
    counts, accuracy = record.comparisons, statistics.accuracy
    if (counts.total, counts.mated) != (table.mated.size, int(table.mated.sum())):
        yield "its comparisons are not those of its scores"
        return
    if accuracy.folds != tuple(np.unique(table.folds).tolist()):
        yield "its folds are not those of its scores"
        return
    shares = [table.correct[table.folds == fold].mean() for fold in accuracy.folds]
    if not np.allclose(shares, accuracy.per_fold, atol=_ROUNDING):
        yield "its accuracy is not that of its scores"
    try:
        if not _is_its_own(accuracy, table):
            yield "its accuracy's interval is not that of its scores"
    except ValueError as error:
        yield f"its people are not those of its comparisons ({error})"
    yield from _wrong_groups(record, table)
    for point in statistics.tar_at_far:
        accepted = table.scores >= point.threshold
        found = (int(accepted[table.mated].sum()), int(accepted[~table.mated].sum()))
        if found != (point.true_accepts, point.false_accepts):
            yield f"its TAR at FAR {point.target:g} is not that of its scores"
    if (deployed := statistics.deployed) is not None and deployed.half is None:
        wrong = (table.scores.astype(np.float64) >= deployed.threshold) != table.mated
        counted = [int(wrong.sum()), int(wrong[~table.mated].sum()), int(wrong[table.mated].sum())]
        if counted != [getattr(deployed, name).errors for name in _AT_DEPLOYED]:
            yield "its rates at the deployed threshold are not those of its scores"
    if not _alike(statistics.auc.value, auc(table.scores, table.mated)):
        yield "its AUC is not that of its scores"
    if not _alike(statistics.eer.value, eer(table.scores, table.mated)):
        yield "its EER is not that of its scores"


def _wrong_groups(record: Record, table: ScoreTable) -> Iterator[str]:
    """Errors of groups that are not those of the scores at the groups' thresholds."""
    for section in record.groups:
        labelled = labelled_in(section, table)
        if labelled is None:
            yield f"its groups by {section.column} have no labels beside its scores"
            continue
        for point in section.points:
            wrong = (table.scores >= point.threshold) != table.mated
            for mated, rates in ((False, point.fmr_of), (True, point.fnmr_of)):
                own = np.where(table.mated == mated, labelled.group, -1)
                number = np.bincount(own[own >= 0], minlength=len(section.names))
                errors = np.bincount(own[wrong & (own >= 0)], minlength=len(section.names))
                told = [(rate.errors, rate.number) for rate in rates]
                if told != list(zip(errors.tolist(), number.tolist(), strict=True)):
                    yield f"its groups by {section.column} are not those of its scores"
                    return


def _is_its_own(accuracy: AccuracySection, table: ScoreTable) -> bool:
    """Whether an accuracy's interval is that of its scores, by the rule that it names."""
    told = accuracy.interval
    if told is None:
        return True
    if told.kind == "wilson":  # of earlier versions
        found = wilson(int(table.correct.sum()), table.correct.size, told.level)
    else:
        people = (table.left_subjects, table.right_subjects)
        units = Units.of(table.mated, *people, "scores")
        found = accuracy_interval(
            accuracy.value, table.correct, units, table.folds, Sharing.of(units), told.level
        )
    return _alike(told.low, found.low) and _alike(told.high, found.high)


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _ROUNDING


def require_recounted(record: Record) -> None:
    """UserError where a card of the workspace has the record's weights, and they count otherwise.

    Of models that are not in the workspace, or have other weights there, nothing can be told.
    """
    if not _has_card(record.model.id):  # PyTorch, which counting needs, takes a second to load
        return
    counted = _counted(record.model.id, record.model.weights_hash)
    for name, value in counted.items():
        told = getattr(record.model, name)
        if told is not None and value is not None and abs(told - value) > _ROUNDING:
            raise UserError(
                f"the record of {record.model.id} says {name} {told:,}, but its weights have "
                f"{value:,}; make it again with `facebench eval`"
            )


def _has_card(model: str) -> bool:
    return any((folder / f"{model}.toml").is_file() for folder in workspace_folders("models"))


@kept
def _counted(model: str, weights_hash: str) -> dict[str, float | None]:
    """What the weights of that hash have; nothing where they are not there."""
    from facebench.base.storage import sha256_file
    from facebench.models.cards.card import find_card
    from facebench.models.cards.members import trained_hash

    try:
        card = find_card(model)
        if card.architecture == "ensemble":
            found = trained_hash(card) or _loaded_hash(model)
        else:
            path = card.weights_path
            found = sha256_file(path) if path is not None and path.is_file() else ""
        return _costs(card.path, weights_hash) if found == weights_hash else {}
    except UserError:  # a card or its weights are wrong: then the record is all there is
        return {}


def _loaded_hash(model: str) -> str:
    # Late: PyTorch takes a second to load.
    from facebench.models.zoo import load_model

    return load_model(model).weights_hash


@lru_cache(maxsize=512)
def _costs(card: Path, weights_hash: str) -> dict[str, float | None]:
    """What a card's weights have; their hash is only what the answer is kept by."""
    from facebench.models.cards.card import read_card
    from facebench.models.sizes import cost_of

    cost = cost_of(read_card(card))
    values = (cost.parameters, cost.kept, cost.ratio, cost.bytes)
    return dict(zip(_COSTS, values, strict=True))
