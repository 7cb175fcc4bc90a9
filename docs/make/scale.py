"""The figures of docs/scale.md that depend on the size: measured here, printed, and drawn.

``OMP_NUM_THREADS=1 python docs/make/scale.py docs/scale.png`` takes a minute or two. Seconds
are of one core's own time, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from facebench.similarity.base import score_block
from facebench.similarity.cosine import Cosine
from facebench.similarity.galleries.walk import GallerySearch
from facebench.similarity.tiles import Tiles
from facebench.statistics.all_pairs.walk import walk_pairs

WIDTH, PROBES, SLAB, TAIL = 128, 500, 1 << 16, 2000
GALLERIES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SETS = (2000, 4000, 8000, 16_000)
SEARCH = f"search, {PROBES} probes, 10⁴ to 10⁶ faces"
EXACT, QUICK = "all pairs, 2,000 to 16,000 faces", f"all pairs, with a tail of {TAIL:,} alone"
Work = Callable[[], object]
Found = dict[str, list[tuple[int, float]]]


def main(path: Path) -> None:
    """Measure, print and draw."""
    rng = np.random.default_rng(0)
    found: Found = {name: [] for name in (SEARCH, EXACT, QUICK)}
    for size in GALLERIES:
        for name, seconds in timed(searches(size, rng)).items():
            found[name].append((size * PROBES, seconds))
    for size in SETS:
        for name, seconds in timed(walks(size, rng)).items():
            found[name].append((size * (size - 1) // 2, seconds))
    for name, points in found.items():
        for count, seconds in points:
            print(f"{name}: {count:,} in {seconds:.2f} s, {seconds / count * 1e9:.1f} ns each")
    draw(path, found)


def timed(ways: dict[str, Work]) -> dict[str, float]:
    """Seconds of this process's own time, in turn, the best of three of each."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(3):
        for name, work in ways.items():
            began = process_time()
            work()
            best[name] = min(best[name], process_time() - began)
    return best


def vectors(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((count, WIDTH), dtype=np.float32)


def searches(size: int, rng: np.random.Generator) -> dict[str, Work]:
    """One face a person, half of the probes known; part by part as `eval` does it, projected when
    a part comes, and every rank counted.
    """
    gallery, asked = vectors(size, rng), 1.5 * vectors(PROBES, rng)
    known = PROBES // 2
    asked[:known] += gallery[:known]
    people = np.where(np.arange(PROBES) < known, np.arange(PROBES), -1)
    project = Cosine().project
    probes = project(asked)

    def ours() -> object:
        search = GallerySearch(probes, people, size, workers=1)
        search.enrol(project(gallery[:known]), np.arange(known))
        for start in range(0, size, SLAB):
            owners = np.arange(start, min(start + SLAB, size))
            search.add(project(gallery[start : start + SLAB]), owners)
        return search.searches()

    return {SEARCH: ours}


def walks(size: int, rng: np.random.Generator) -> dict[str, Work]:
    rows, people = Cosine().project(vectors(size, rng)), rng.integers(0, size // 3, size)
    tiles = Tiles.of(rows)

    def walk(rough: Tiles | None) -> object:
        exact = lambda a, b: score_block(rows[a], rows[b])  # noqa: E731
        return walk_pairs(exact, people, tail=TAIL, rough=rough, workers=1)

    return {EXACT: lambda: walk(None), QUICK: lambda: walk(tiles)}


def draw(path: Path, found: Found) -> None:
    figure, axes = plt.subplots(figsize=(6, 4), dpi=110)
    styles = ("o-", "s-", "d-")
    for (name, points), style in zip(found.items(), styles, strict=True):
        axes.loglog(*zip(*points, strict=True), style, label=name, lw=1.2, ms=5)
    count, seconds = found[SEARCH][-1]
    ends = np.array([found[SEARCH][0][0], count])
    each = f"{seconds / count * 1e9:.1f} ns a comparison"
    axes.loglog(ends, ends * seconds / count, "--", color="#555555", lw=1, label=each)
    axes.set_xlabel("comparisons")
    axes.set_ylabel("seconds of one core")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
