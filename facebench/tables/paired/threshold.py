"""A threshold, what it gives on other people and what scores say, as a table and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from facebench.base.text import percent
from facebench.comparison.calibration.threshold import Threshold
from facebench.comparison.calibration.written import ErrorSection, PeopleOf, ScoredBy
from facebench.records.sections import IntervalSection
from facebench.statistics.roc import exact_target
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Column, Table, rows_of
from facebench.tables.text import interval_text, labelled

FEW = 10  # false accepts, of fewer of which an interval of the threshold is uncertain itself


def threshold_table(found: Threshold) -> Table:
    """A row for every number."""
    file, checked = found.file, found.checked
    set_on, ratio = file.set_on, file.log_likelihood_ratio
    title = f"threshold of {file.scores_of.model} for FMR {_share(set_on.far)}"
    title += f" · set on {set_on.protocol}, checked on {checked.protocol}"
    reached = round(set_on.reached * set_on.nonmated)
    return Table(
        title=labelled(title, "synthetic" if "synthetic" in (set_on.kind, checked.kind) else None),
        columns=(Column("", left=True), Column("value"), Column("of", left=True)),
        rows=rows_of(
            (
                Cell("threshold"),
                Cell(f"{file.threshold:.4f}", _ends(file.interval, 4)),
                Cell(f"{reached:,} of {set_on.nonmated:,} non-mated accepted where it was set"),
            ),
            (Cell("FMR %"), _rate(checked.fmr), _counts(checked.fmr, "non-mated, accepted")),
            (Cell("FNMR %"), _rate(checked.fnmr), _counts(checked.fnmr, "mated, not accepted")),
            (
                Cell("Cllr"),
                Cell(f"{checked.cllr:.3f}", _ends(checked.cllr_interval, 3)),
                Cell("bits; 0: perfect, 1: says nothing"),
            ),
            (
                Cell("minCllr"),
                Cell(f"{checked.min_cllr:.3f}"),
                Cell(f"calibration loss {checked.cllr - checked.min_cllr:.3f}"),
            ),
            (
                Cell("probability %"),
                Cell(percent(found.probability(file.threshold))),
                Cell(f"one person, at the threshold; prior {_share(ratio.prior)}"),
            ),
        ),
        notes=tuple(_notes(found)),
        notice=found.record.data.notice,
        signatures=(found.record.signature,),
    )


def threshold_csv(found: Threshold) -> str:
    """One line per number; rates are shares."""
    return to_csv(found.rows())


def _notes(found: Threshold) -> Iterator[str]:
    file, checked = found.file, found.checked
    set_on, ratio = file.set_on, file.log_likelihood_ratio
    if not set_on.resolvable:
        needed = ceil(1 / exact_target(set_on.far))
        yield (
            f"unresolvable: FMR {_share(set_on.far)} takes {needed:,} non-mated "
            f"comparisons at least, and there are {set_on.nonmated:,}; the threshold is above all "
            "of them, and how far is chance"
        )
    elif round(set_on.reached * set_on.nonmated) < FEW:
        yield (
            "few non-mated comparisons are accepted where the threshold was set: it hangs on "
            "them, and so does its interval"
        )
    yield f"set on {_people(set_on)}; checked on {_people(checked)}"
    if checked.half:
        yield (
            "nobody is in both halves; "
            + ("whole folds, which share no people" if checked.half == "folds" else "people")
            + f", drawn by a fixed seed; {found.dropped:,} comparisons across the halves dropped"
        )
    elif set_on.fingerprint == checked.fingerprint:
        yield "both lists are of the same faces: where people are in both, the rates flatter"
    if set_on.subjects is None or checked.subjects is None:
        yield "not all images say who is in them: comparisons are taken for independent there"
    if taken := file.scores_of.taken_for(ScoredBy.of(found.record)):
        yield taken
    if file.scores_of.alignment != found.record.alignment:
        yield f"alignment: {file.scores_of.alignment} there, {found.record.alignment} here"
    yield (
        f"llr = {ratio.slope:.4f} × score {'−' if ratio.intercept < 0 else '+'} "
        f"{abs(ratio.intercept):.4f} (natural logarithm); probability = "
        "1 / (1 + exp(−llr − log(prior / (1 − prior))))"
    )
    if failures := set_on.failures + checked.failures:
        yield (
            f"{failures:,} comparisons with a failure to acquire are never accepted; they have no "
            "score and so no likelihood ratio"
        )


def _people(of: PeopleOf) -> str:
    half = "half of " if of.half else ""
    people = f", {of.subjects:,} people" if of.subjects is not None else ""
    return (
        f"{half}{of.protocol} ({of.fingerprint}, {of.kind}): {of.mated:,} mated, "
        f"{of.nonmated:,} non-mated{people}"
    )


def _rate(rate: ErrorSection) -> Cell:
    return Cell(percent(rate.value), interval_text(rate.interval))


def _counts(rate: ErrorSection, what: str) -> Cell:
    return Cell(f"{rate.errors:,} of {rate.number:,} {what}")


def _ends(interval: IntervalSection | None, places: int) -> str:
    return f"[{interval.low:.{places}f}, {interval.high:.{places}f}]" if interval else ""


def _share(share: float) -> str:
    return f"{100 * share:.6g}%"
