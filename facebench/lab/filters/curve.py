"""The curve of a pruned network: filters removed against accuracy and costs; as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import ConfigDict, Field
from scipy.stats import rankdata

from facebench.base.opening import read_fields
from facebench.base.storage import write_atomically
from facebench.base.validation import validated

FOLDER = Path("diagnostics") / "filters"
_Count = Annotated[int, Field(ge=0, le=1 << 53)]  # shares of it are taken as floats


@dataclass(frozen=True)
class Point:
    """One network of the curve, or the whole network at its beginning.

    step: removals before it; filters: gone, of ``of``; multiply_adds: for one face; latency: median
    milliseconds of one face, ``latency_low`` and ``latency_high`` its quartiles, in ``threads``
    threads, NaN: not measured; accuracy: by protocol, ``intervals`` their 95% intervals, low and
    high, where there are any.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    model: str
    step: _Count
    filters: _Count
    of: Annotated[_Count, Field(gt=0)]
    parameters: _Count
    multiply_adds: _Count
    latency: float = float("nan")
    latency_low: float = float("nan")
    latency_high: float = float("nan")
    threads: _Count = 0
    accuracy: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def removed(self) -> float:
        """Share of all prunable filters that is gone."""
        return self.filters / self.of


@dataclass(frozen=True)
class Curve:
    """The points of a series, fewest filters removed first, and how it was made.

    layers: filters of each layer in the whole network; removed: share gone at each point, by model
    and layer; source: command and data in words.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    model: str
    criterion: str
    source: str
    points: tuple[Point, ...] = ()
    layers: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def with_point(self, point: Point, removed: Mapping[str, float]) -> Curve:
        """The curve with one more point, or another value of one that it has."""
        others = [p for p in self.points if p.model != point.model]
        points = tuple(sorted([*others, point], key=lambda p: (p.filters, p.step)))
        return replace(self, points=points, removed={**self.removed, point.model: dict(removed)})


def write_curve(curve: Curve, results: Path) -> Path:
    """Write ``results/diagnostics/filters/MODEL.csv``, ``.layers.csv`` and ``.json`` (its path)."""
    path = results / FOLDER / f"{curve.model}.json"
    write_atomically(path.with_suffix(".csv"), _points_csv(curve).encode())
    write_atomically(path.with_suffix(".layers.csv"), _layers_csv(curve).encode())
    told = {"schema_version": 1, **asdict(curve)}
    for point in told["points"]:
        for name, value in list(point.items()):
            if value != value:  # JSON has no NaN
                del point[name]
    write_atomically(path, (json.dumps(told, indent=1) + "\n").encode())
    return path


def read_curve(path: Path) -> Curve:
    """What `write_curve` wrote; UserError where it is not such a file."""
    what = "a curve of `facebench prune --structured`"
    told = read_fields(path, what, "schema_version", "points")
    told.pop("schema_version")
    return validated(Curve, told, f"{path}: not {what}")


def _points_csv(curve: Curve) -> str:
    protocols = sorted({name for point in curve.points for name in point.accuracy})
    head = ["model", "step", "filters_removed", "filters", "share_removed", "parameters"]
    head += ["multiply_adds", "latency_ms", "latency_low_ms", "latency_high_ms", "threads"]
    rows = [
        [
            p.model, p.step, p.filters, p.of, f"{p.removed:.6f}", p.parameters, p.multiply_adds,
            *(_number(v) for v in (p.latency, p.latency_low, p.latency_high)), p.threads or "",
            *(_number(v) for name in protocols for v in _accuracy(p, name)),
        ]
        for p in curve.points
    ]  # fmt: skip
    columns = [f"accuracy_{name}{end}" for name in protocols for end in ("", "_low", "_high")]
    return _csv([[*head, *columns], *rows])


def _accuracy(point: Point, protocol: str) -> tuple[float, float, float]:
    """Accuracy on a protocol, and the ends of its interval; NaN: not known."""
    low, high = point.intervals.get(protocol, (float("nan"),) * 2)
    return point.accuracy.get(protocol, float("nan")), low, high


def _layers_csv(curve: Curve) -> str:
    models = [point.model for point in curve.points if point.model in curve.removed]
    rows = [
        [name, count, *(f"{curve.removed[model].get(name, 0.0):.6f}" for model in models)]
        for name, count in curve.layers.items()
    ]
    return _csv([["layer", "filters", *models], *rows])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _number(value: float) -> str:
    return "" if value != value else f"{value:.6g}"


@dataclass(frozen=True)
class Width:
    """Layers with as many filters as each other: how many they are, mean share that they lost."""

    filters: int
    layers: int
    removed: float


def by_width(layers: Mapping[str, int], removed: Mapping[str, float]) -> list[Width]:
    """Mean share of filters gone, 0 to 1, by the number that layers had; narrow layers first."""
    counts = sorted(set(layers.values()))
    groups = [[name for name, own in layers.items() if own == count] for count in counts]
    return [
        Width(count, len(names), float(np.mean([removed.get(name, 0.0) for name in names])))
        for count, names in zip(counts, groups, strict=True)
    ]


def rank_correlation(layers: Mapping[str, int], removed: Mapping[str, float]) -> float:
    """Spearman's correlation, over layers, of filters in the whole network and share removed.

    The paper's observation, filters of layers with most output channels tend to go first, is a
    positive one. NaN where all layers are alike.

    Source: Alonso-Fernandez et al., Abstract.
    """
    names = list(layers)
    counts = rankdata([layers[name] for name in names])
    shares = rankdata([removed.get(name, 0.0) for name in names])
    if len(names) < 3 or np.ptp(counts) == 0 or np.ptp(shares) == 0:
        return float("nan")
    return float(np.corrcoef(counts, shares)[0, 1])
