"""All candidates that were looked at, their Pareto front, and the one that was chosen, as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facebench.base.storage import write_atomically
from facebench.comparison.paired import SMALLER_IS_BETTER
from facebench.comparison.pareto import pareto_front
from facebench.figures.files import plot_style, save_figure
from facebench.figures.labels import ruled, titled
from facebench.records.frames import Scalar
from facebench.records.statistics import require_statistic
from facebench.tables.csv import to_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from facebench.comparison.paired import Paired
    from facebench.lab.compress.looks import Candidacy
    from facebench.records.sections import IntervalSection

_FRONT, _OTHER, _CHOSEN = "#0072B2", "#8a8a8a", "#D55E00"  # Okabe and Ito


@dataclass(frozen=True)
class CandidatePoint:
    """One candidate on the choosing half. objective: what was made small, share: of the start's;
    value: the rule's statistic, low and high its 95% interval where there is one; gain: of that
    statistic over the start, a share, negative where it lost, with its interval at the level of
    choosing; front: no other is as small and as good; chosen: the verdict is of it.
    """

    candidate: str
    objective: float
    share: float
    value: float
    low: float | None
    high: float | None
    gain: float
    gain_low: float | None
    gain_high: float | None
    outcome: str
    measured: str
    parameters: int | None
    kept: int | None
    bytes: int | None
    multiply_adds: int | None
    front: bool
    chosen: bool

    @property
    def row(self) -> dict[str, Scalar]:
        """Everything, by name."""
        return dict(vars(self))


def points_of(
    looked: Sequence[Candidacy], objectives: Sequence[float], statistic: str, chosen: str
) -> list[CandidatePoint]:
    """The candidates in the order in which they were looked at, the start first."""
    front = pareto_front(objectives, [-one.points for one in looked])
    return [
        _point(one, objective, objective / objectives[0], statistic, on, one.key == chosen)
        for one, objective, on in zip(looked, objectives, front, strict=True)
    ]


def _point(
    one: Candidacy, objective: float, share: float, statistic: str, front: bool, chosen: bool
) -> CandidatePoint:
    found, model = require_statistic(one.record, statistic), one.record.model
    interval: IntervalSection | None = getattr(found, "shown", None) or found.interval
    verdict, low, high = one.verdict, None, None
    if one.paired is not None:
        low, high = gain_interval(one.paired)
    return CandidatePoint(
        one.key, objective, share, found.value,
        interval.low if interval else None, interval.high if interval else None,
        -one.points, low, high,
        verdict.outcome if verdict else "", verdict.measured if verdict else "",
        model.parameters, model.kept_parameters, model.bytes, model.multiply_adds, front, chosen,
    )  # fmt: skip


def gain_interval(paired: Paired) -> tuple[float | None, float | None]:
    """Ends of the interval of a gain, which is positive where the candidate is better."""
    if paired.interval is None:
        return None, None
    low, high = paired.interval.low, paired.interval.high
    return (-high, -low) if paired.statistic in SMALLER_IS_BETTER else (low, high)


def write_curve_files(
    points: Sequence[CandidatePoint], told: dict[str, Any], folder: Path, drawn: Drawn
) -> None:
    """Write ``candidates.csv``, ``.json`` and ``.png``. told: what else the JSON says."""
    rows = [point.row for point in points]
    write_atomically(folder / "candidates.csv", to_csv(rows).encode())
    whole = {"schema_version": 1, **told, "candidates": rows}
    write_atomically(folder / "candidates.json", (json.dumps(whole, indent=1) + "\n").encode())
    draw_candidates(points, folder / "candidates.png", drawn)


@dataclass(frozen=True)
class Drawn:
    """What a picture is called and shows. decided: the verdict's gain and its interval on the other
    half, None: none was given; worst: the largest loss that the rule allows, None: it bounds none.
    """

    title: str
    objective: str
    statistic: str
    decided: tuple[float, float | None, float | None] | None = None
    worst: float | None = None
    synthetic: bool = False


def draw_candidates(points: Sequence[CandidatePoint], path: Path, drawn: Drawn) -> None:
    """The objective, in percent of the start's, against what was gained or lost, paired."""
    from matplotlib.figure import Figure

    with plot_style():
        figure = Figure(figsize=(7.6, 4.6), layout="constrained")
        axes = figure.subplots()
        front = sorted((p for p in points if p.front), key=lambda p: p.share)
        axes.plot(*_places(front), color=_FRONT, lw=1.2, zorder=1, label="Pareto front")
        _bars(axes, points)
        passed = [p for p in points if p.outcome in ("pass", "")]
        others = [p for p in points if p not in passed]
        axes.plot(*_places(passed), "o", color=_FRONT, label="passes, on the half of choosing")
        if others:
            axes.plot(*_places(others), "x", color=_OTHER, label="does not pass there")
        _verdict(axes, points, drawn)
        axes.set_xscale("log")
        _shares(axes, [p.share for p in points])
        axes.set(xlabel=f"{drawn.objective}, % of the start's")
        axes.set(ylabel=f"{drawn.statistic} over the start's, points")
        ruled(axes)
        titled(axes, drawn.title, drawn.synthetic)
        figure.legend(loc="outside lower left", frameon=False, ncols=2)
        save_figure(figure, path)


def _places(points: Sequence[CandidatePoint]) -> tuple[list[float], list[float]]:
    return [100 * p.share for p in points], [100 * p.gain for p in points]


def _bars(axes: Axes, points: Sequence[CandidatePoint]) -> None:
    for p in points:
        if p.gain_low is not None and p.gain_high is not None:
            ends = [100 * p.gain_low, 100 * p.gain_high]
            axes.plot([100 * p.share] * 2, ends, color=_OTHER, lw=0.7, zorder=0)


def _verdict(axes: Axes, points: Sequence[CandidatePoint], drawn: Drawn) -> None:
    """The chosen one, and what the other half said of it."""
    if drawn.worst is not None:
        axes.axhline(-100 * drawn.worst, color=_OTHER, lw=0.8, ls=":", label="the rule's bound")
    axes.axhline(0, color=_OTHER, lw=0.5, zorder=0)
    chosen = next((p for p in points if p.chosen), None)
    if chosen is None:
        return
    ring = {"ms": 13, "mfc": "none", "mec": _CHOSEN, "mew": 1.5}
    axes.plot([100 * chosen.share], [100 * chosen.gain], "o", label="chosen", **ring)  # type: ignore[arg-type]
    if drawn.decided is None:
        return
    value, low, high = drawn.decided
    x = 100 * chosen.share * 0.985  # beside the one that it is of
    if low is not None and high is not None:
        axes.plot([x, x], [100 * low, 100 * high], color=_CHOSEN, lw=1.2)
    axes.plot([x], [100 * value], "D", color=_CHOSEN, label="the same, on the half that decides")


def _shares(axes: Axes, shares: Sequence[float]) -> None:
    """Ticks in percent, of which a logarithmic axis would have too few."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    ticks = [t for t in (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100)]
    low, high = 90 * min(shares), 108 * max(shares)
    shown = [t for t in ticks if low <= t <= high]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(low, high)
