"""What happens inside when connections are selected: Tables 5 to 7 and Figure 1 of the paper."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facebench.base.opening import read_fields
from facebench.base.storage import write_atomically
from facebench.lab.connections.correlation import connections_of
from facebench.lab.connections.moments import layer_correlations
from facebench.lab.connections.task import Batches, KeptConnections
from facebench.models.architectures.convnet import ConvNet

BARS = 20
MeasuredValues = Mapping[str, float | str | list[float]]


def mean_absolute_correlation(
    net: ConvNet, layer: str, mask: KeptConnections, faces: Batches
) -> float:
    """Mean |r| over the kept connections of a layer, over held-out faces.

    Of a convolution the mean over positions, too: equation 2 without its sum.

    Source: Sun, Wang, Tang 2015, Table 5, columns 3 and 4.
    """
    found = np.abs(layer_correlations(net, layer, faces()))
    if found.ndim == 4:
        found = found / _positions(net, layer)
    return float(found[mask].mean())


def input_correlations(
    mask: KeptConnections, inputs: Iterator[NDArray[np.float32]]
) -> tuple[float, float]:
    """Mean r and mean |r| among the inputs of a common neuron, over all pairs and neurons.

    mask: bool [position, out, K] or [out, K]; inputs: batches float positions×N×K of what each
    position sees. Pairs with an input that never changes have no correlation and take no part; a
    neuron with fewer than two inputs has no pair. Where signs vary, means of r cancel.

    Source: Sun, Wang, Tang 2015, Section 5.2, Table 6.
    """
    seen = np.concatenate([part for part in inputs], axis=1).astype(np.float64)
    mask = mask.reshape(len(seen), -1, mask.shape[-1])
    totals, pairs = np.zeros(2), 0.0
    for activations, rows in zip(seen, mask, strict=True):
        centred = activations - activations.mean(0)
        spread = np.sqrt(np.square(centred).sum(0))
        lives = spread > 1e-9
        unit = centred / np.where(lives, spread, 1)
        r = unit.T @ unit
        kept = (rows & lives).astype(np.float64)
        # Σ over j, k in a neuron's inputs, itself with itself included, all neurons at once.
        sums = [np.einsum("ij,ij->i", kept @ one, kept) for one in (r, np.abs(r))]
        counts = kept.sum(1)
        totals += [float((one - counts).sum()) / 2 for one in sums]
        pairs += float((counts * (counts - 1)).sum()) / 2
    signed, absolute = totals / pairs if pairs else (float("nan"), float("nan"))
    return float(signed), float(absolute)


def layer_inputs(
    net: ConvNet, layer: str, faces: Batches, most: int = 512
) -> Iterator[NDArray[np.float32]]:
    """What each position of a layer sees, in batches float32 positions×N×K, of ``most`` faces."""
    import torch

    from facebench.lab.connections.moments import inputs_by_position
    from facebench.models.architectures.convnet import to_input

    module, kept = net.layer(layer), []
    handle = module.register_forward_hook(
        lambda m, given, _: kept.append(inputs_by_position(m, given[0]).numpy())
    )
    done = 0
    try:
        with torch.no_grad():
            for batch in faces():
                net(to_input(torch.from_numpy(batch)))
                done += len(batch)
                yield kept.pop()
                if done >= most:
                    return
    finally:
        handle.remove()


def rankings(weight: NDArray[np.floating], mask: KeptConnections) -> NDArray[np.float64]:
    """Where the kept positive weights stand among the positive ones of their neuron, in (0, 1).

    weight: of N_(m-1), before selection; 0 is the largest magnitude. Give ``-weight`` for the
    negative ones. One number per kept weight.

    Source: Sun, Wang, Tang 2015, Section 5.4, Figure 1.
    """
    connections = connections_of(weight)
    found = []
    for row, kept in zip(
        weight.reshape(-1, connections), mask.reshape(-1, connections), strict=True
    ):
        positive = np.flatnonzero(row > 0)
        if not len(positive):
            continue
        rank = np.empty(len(positive))
        rank[np.argsort(-row[positive], kind="stable")] = np.arange(len(positive))
        found.append((rank[kept[positive]] + 0.5) / len(positive))
    return np.concatenate(found) if found else np.empty(0)


def rank_frequencies(ranks: NDArray[np.float64], bars: int = BARS) -> list[float]:
    """Shares of the kept weights in equal parts of the ranking, largest magnitudes first."""
    counts, _ = np.histogram(ranks, bins=bars, range=(0, 1))
    return [float(count) for count in counts / max(1, len(ranks))]


def rank_distance(ranks: NDArray[np.float64]) -> float:
    """Largest distance of the rankings' distribution from the uniform one (Kolmogorov-Smirnov)."""
    if not len(ranks):
        return float("nan")
    ordered, n = np.sort(ranks), len(ranks)
    above = np.arange(1, n + 1) / n - ordered
    return float(max(above.max(), (ordered - np.arange(n) / n).max()))


def verification_error(
    features: NDArray[np.floating], labels: NDArray[np.int64], rng: np.random.Generator, pairs: int
) -> float:
    """Share of pairs told wrongly by the cosine of features, at the best threshold for them.

    features: float N×F; labels: identities int64 N, those below 0 take no part. ``pairs`` mated and
    as many non-mated pairs are drawn. The threshold is chosen on the same pairs: it is a training
    error, not an estimate for other faces. NaN where there are no such pairs.

    Source: Sun, Wang, Tang 2015, Section 5.3, Table 7, which does not say how many pairs it took.
    """
    known = np.flatnonzero(labels >= 0)
    names, counts = np.unique(labels[known], return_counts=True)
    if len(names) < 2 or counts.max() < 2:
        return float("nan")
    rows = {name: known[labels[known] == name] for name in names}
    several = names[counts > 1]
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    mated = [rng.choice(rows[name], 2, replace=False) for name in rng.choice(several, pairs)]
    other: list[tuple[int, int]] = []
    while len(other) < pairs:
        one, two = rng.choice(known, 2)
        if labels[one] != labels[two]:
            other.append((one, two))
    return least_error(_scores(unit, np.array(mated)), _scores(unit, np.array(other)))


def least_error(mated: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Smallest share of wrong decisions over all thresholds; ``score >= threshold`` is mated."""
    edges = np.unique(np.concatenate([mated, other]))
    missed = np.searchsorted(np.sort(mated), edges)  # below the threshold
    taken = len(other) - np.searchsorted(np.sort(other), edges)
    best = min(int((missed + taken).min()), len(mated))
    return best / (len(mated) + len(other))


def write_diagnostics(model: str, values: MeasuredValues, source: str, results: Path) -> Path:
    """Write ``results/diagnostics/MODEL.json``, adding to what is there; returns its path.

    source: the command and the data that the values are of. Values that are NaN are left out.
    """
    path = results / "diagnostics" / f"{model}.json"
    before = read_fields(path, "diagnostics", "values")["values"] if path.is_file() else {}
    new = {name: value for name, value in values.items() if value == value}
    told = {"schema_version": 1, "model": model, "source": source, "values": {**before, **new}}
    write_atomically(path, (json.dumps(told, indent=2, sort_keys=True) + "\n").encode())
    return path


def _scores(unit: NDArray[np.floating], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = np.einsum(
        "ij,ij->i", unit[pairs[:, 0]], unit[pairs[:, 1]], dtype=np.float64
    )
    return cosines


def _positions(net: ConvNet, layer: str) -> int:
    """Positions of a convolution's output map."""
    halvings = int(layer[0]) - 1
    return (net.input_size[0] >> halvings) * (net.input_size[1] >> halvings)
