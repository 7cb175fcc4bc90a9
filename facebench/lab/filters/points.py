"""What a point of the curve leaves behind: card, record, costs, diagnostics, curve and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.lab.filters.curve import (
    FOLDER,
    Curve,
    Point,
    by_width,
    rank_correlation,
    read_curve,
    write_curve,
)
from facebench.lab.filters.groups import filter_counts, find_groups
from facebench.lab.filters.latency import NOT_MEASURED, Latency, latencies, multiply_adds
from facebench.lab.filters.pictures import draw_curves, draw_layers
from facebench.lab.filters.plan import FilterPlan, written
from facebench.lab.filters.removal import removed_shares
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import Evaluated
from facebench.lab.learning.diagnostics import write_diagnostics
from facebench.models.architectures.base import CompactNet, parameters
from facebench.models.cards.card import ModelCard, read_card, shape_of
from facebench.models.cards.publish import publish_compact
from facebench.models.cards.trained import compact_network_of

_SECONDS = 30  # for the points of a curve, which differ by a few per cent


def publish_point(
    net: nn.Module,
    name: str,
    step: int,
    steps: int,
    start: ModelCard,
    original: Mapping[str, int],
    lab: Laboratory,
    plan: FilterPlan,
    fingerprint: str,
) -> ModelCard:
    """Write a point's card, weights, evaluation and diagnostics, and add it to the curve; its card.

    original: filters by layer of the whole network; steps: mini-batches of training so far;
    fingerprint: of all that the series depends on.
    """
    assert isinstance(net, CompactNet)
    groups = find_groups(net, net.input_size)
    shares = removed_shares(groups, original)
    total = sum(original.values())
    gone = total - sum(filter_counts(groups).values())
    words = (
        f"{written(plan.step)} of all filters removed per step by {plan.criterion}, "
        f"{plan.fine_tune} mini-batches of {lab.recipe.faces_per_step} faces after each, from "
        f"{start.name}; {lab.recipe.title}"
    )
    training = lab.training(words, lab.recipe.faces_per_step * steps, fingerprint)
    card = publish_compact(
        name, net, training, lab.models, parent=start.name,
        filters_removed=gone / total, licence=lab.licence(plan.licence or start.licence),
        title=f"{start.title} less {gone / total:.0%} of its filters ({plan.criterion})",
    )  # fmt: skip
    told = lab.evaluated(lab.prepared_as(start, card), plan.protocols)
    curve = _curve(start, original, lab, plan)
    whole = compact_network_of(start)
    beside, own = latencies([whole, net], net.input_size)
    point = Point(name, step, gone, total, parameters(net), multiply_adds(net, net.input_size))
    point = _timed(_evaluated(point, told), own)
    first = curve.points[0] if curve.points else None
    if first is None or set(point.accuracy) - set(first.accuracy):
        first = _first(whole, start, total, lab, plan)
    curve = curve.with_point(_timed(first, beside), dict.fromkeys(original, 0.0))
    curve = curve.with_point(point, shares)
    _write(curve, lab)
    for one, gone_from in ((curve.points[0], {}), (point, shares)):
        values = _values(curve.points[0], one, original, gone_from)
        write_diagnostics(one.model, values, curve.source, lab.results)
    return read_card(card.path)


def measure_together(start: ModelCard, lab: Laboratory, plan: FilterPlan) -> Curve:
    """Measure the latency of all points of a curve in one interleaved run, and draw it anew.

    A point whose card is gone keeps no latency: it would be of another run than the others'.
    """
    path = lab.results / FOLDER / f"{plan.model}.json"
    curve = read_curve(path)
    there = [p for p in curve.points if p.model == start.name or _path(lab, p.model).is_file()]
    nets = [
        compact_network_of(start if p.model == start.name else read_card(_path(lab, p.model)))
        for p in there
    ]
    found = latencies(nets, shape_of(start).size, seconds=_SECONDS)
    measured = dict(zip((p.model for p in there), found, strict=True))
    for point in curve.points:
        latency = measured.get(point.model, NOT_MEASURED)
        curve = curve.with_point(_timed(point, latency), curve.removed[point.model])
    for point in curve.points:
        values = _latency_values(curve.points[0], point)
        write_diagnostics(point.model, values, curve.source, lab.results)
    _write(curve, lab)
    return curve


def _path(lab: Laboratory, name: str) -> Path:
    return lab.models / f"{name}.toml"


def _curve(
    start: ModelCard, original: Mapping[str, int], lab: Laboratory, plan: FilterPlan
) -> Curve:
    """The series as far as it is written, or an empty one where it was made in another way."""
    path, source = lab.results / FOLDER / f"{plan.model}.json", _source(start, lab, plan)
    if path.exists():
        try:
            curve = read_curve(path)
        except UserError as error:
            lab.machine.report(f"{error}; it is written anew")
        else:
            if curve.source == source and curve.layers == dict(original):
                return curve
    return Curve(plan.model, plan.criterion, source, layers=dict(original))


def _source(start: ModelCard, lab: Laboratory, plan: FilterPlan) -> str:
    """Command, weights and data of a series: points with the same belong together."""
    told = f"--steps {plan.fine_tune} --seed {plan.seed}"
    if plan.point_fine_tune:  # a point's longer training changes every network after it
        points = ",".join(written(plan.share_at(step)) for step in plan.marks)
        told += f" --point-steps {plan.point_fine_tune} --points {points}"
    return (
        f"facebench prune {start.name} --structured --criterion {plan.criterion} "
        f"--step {written(plan.step)} {told}, weights {(start.sha256 or '')[:16]}, on "
        f"{lab.data_text}; recipe {Path(lab.recipe_name).name}"
    )


def _first(
    net: CompactNet, start: ModelCard, total: int, lab: Laboratory, plan: FilterPlan
) -> Point:
    """The whole network, evaluated as its points are; its card is left as it is."""
    told: list[Evaluated] = []
    if lab.evaluate is not None and plan.protocols:
        told = lab.evaluate(start.path, plan.protocols)
    costs = parameters(net), multiply_adds(net, net.input_size)
    return _evaluated(Point(start.name, 0, 0, total, *costs), told)


def _evaluated(point: Point, told: Sequence[Evaluated]) -> Point:
    return replace(
        point,
        accuracy={one.protocol: one.accuracy for one in told if one.accuracy is not None},
        intervals={one.protocol: one.interval for one in told if one.interval is not None},
    )


def _timed(point: Point, latency: Latency) -> Point:
    return replace(
        point,
        latency=latency.median,
        latency_low=latency.lower,
        latency_high=latency.upper,
        threads=0 if latency is NOT_MEASURED else torch.get_num_threads(),
    )


def _values(
    whole: Point, point: Point, layers: Mapping[str, int], removed: Mapping[str, float]
) -> dict[str, float | str | list[float]]:
    """What reports may show of a point; ratios are to the whole network."""
    return {
        "filters_removed": point.removed,
        "parameters_ratio": point.parameters / whole.parameters,
        "multiply_adds": float(point.multiply_adds),
        "multiply_adds_ratio": point.multiply_adds / whole.multiply_adds,
        **_latency_values(whole, point),
        "width_correlation": rank_correlation(layers, removed),
        "removed_by_width": [width.removed for width in by_width(layers, removed)],
    }


def _latency_values(whole: Point, point: Point) -> dict[str, float | str | list[float]]:
    return {
        "latency_ms": point.latency,
        "latency_ratio": point.latency / whole.latency,
        "latency_threads": float(point.threads),
    }


def _write(curve: Curve, lab: Laboratory) -> None:
    """Files and pictures of a curve, and one picture of all criteria on the same network."""
    path = write_curve(curve, lab.results)
    draw_curves([curve], path.with_suffix(".png"))
    draw_layers(curve, path.with_suffix(".layers.png"))
    start = curve.points[0].model
    beside = []
    for other in sorted(path.parent.glob("*.json")):
        try:
            found = curve if other == path else read_curve(other)
        except UserError as error:  # somebody else's file must not stop hours of work
            lab.machine.report(f"{error}; left out of the picture of {start}")
            continue
        if found.points and found.points[0].model == start:
            beside.append(found)
    if len(beside) > 1:
        order = sorted(beside, key=lambda c: (c.criterion != "taylor", c.model))
        draw_curves(order, path.with_name(f"{start}.png"))
