"""The figures of docs/scale.md that depend on the size: measured here, printed, and drawn.

``OMP_NUM_THREADS=1 python docs/make/scale.py docs/scale.png`` takes a minute. Seconds are of
one core's own time, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import matplotlib.pyplot as plt
import numpy as np

from facebench.similarity.base import Projection, score_block
from facebench.similarity.candidates import search_faces
from facebench.similarity.cosine import Cosine
from facebench.statistics.all_pairs.walk import walk_pairs

WIDTH, PROBES = 128, 500
GALLERIES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SETS = (2000, 4000, 8000, 16_000)


def main(path: Path) -> None:
    """Measure, print and draw."""
    rng = np.random.default_rng(0)
    searches = [(size * PROBES, timed(lambda size=size: searched(size, rng))) for size in GALLERIES]
    pairs = [(n * (n - 1) // 2, timed(lambda n=n: walked(n, rng))) for n in SETS]
    for name, found in (("search", searches), ("all pairs", pairs)):
        for count, seconds in found:
            print(f"{name}: {count:,} in {seconds:.2f} s, {seconds / count * 1e9:.1f} ns each")
    draw(path, searches, pairs)


def timed(prepared: Callable[[], Callable[[], object]]) -> float:
    """Seconds of this process's own time, the best of three."""
    work, best = prepared(), float("inf")
    for _ in range(3):
        began = process_time()
        work()
        best = min(best, process_time() - began)
    return best


def faces(count: int, rng: np.random.Generator) -> Projection:
    return Cosine().project(rng.standard_normal((count, WIDTH), dtype=np.float32))


def searched(size: int, rng: np.random.Generator) -> Callable[[], object]:
    gallery, people = faces(size, rng), np.arange(size - PROBES // 2, size + PROBES // 2)
    noise = rng.standard_normal((PROBES, WIDTH), dtype=np.float32)
    noise[: PROBES // 2] = 0.13 * noise[: PROBES // 2] + gallery.rows[people[: PROBES // 2]]
    probes, owners = Cosine().project(noise), np.arange(size)
    return lambda: search_faces(gallery, probes, owners, people, workers=1)


def walked(size: int, rng: np.random.Generator) -> Callable[[], object]:
    rows, people = faces(size, rng), rng.integers(0, size // 3, size)
    return lambda: walk_pairs(
        lambda a, b: score_block(rows[a], rows[b]), people, tail=2000, workers=1
    )


def draw(path: Path, searches: list[tuple[int, float]], pairs: list[tuple[int, float]]) -> None:
    figure, axes = plt.subplots(figsize=(6, 4), dpi=110)
    for found, style, label in (
        (searches, "o-", f"search, {PROBES} probes, 10⁴ to 10⁶ faces"),
        (pairs, "s-", "all pairs, 2,000 to 16,000 faces"),
    ):
        axes.loglog(*zip(*found, strict=True), style, label=label)
    count, seconds = searches[-1]
    ends = np.array([searches[0][0], count])
    each = f"{seconds / count * 1e9:.1f} ns a comparison"
    axes.loglog(ends, ends * seconds / count, "--", color="#555555", lw=1, label=each)
    axes.set_xlabel("comparisons")
    axes.set_ylabel("seconds of one core")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
