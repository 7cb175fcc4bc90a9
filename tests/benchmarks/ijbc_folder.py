"""Write a folder in IJB-C's shape and size, and evaluate it: the child process of `test_ijbc.py`.

``python ijbc_folder.py write FOLDER TEMPLATES COMPARISONS FACES`` and ``... run FOLDER``; the
second prints a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

DIMENSIONS, PER_PERSON = 512, 6
CHUNK = 1 << 18


def write(folder: Path, templates: int, comparisons: int, faces: int) -> None:
    """Lists in ``meta/``, embeddings and their names; ``faces`` of every template."""
    rng = np.random.default_rng(0)
    meta = folder / "meta"
    meta.mkdir(parents=True, exist_ok=True)
    ids = np.sort(rng.permutation(2 * templates)[:templates]) + 1
    person = rng.permutation(templates) // PER_PERSON
    with (meta / "ijbc_face_tid_mid.txt").open("w") as file:
        for row in range(templates * faces):
            file.write(f"{row + 1}.jpg {ids[row // faces]} {row // 2}\n")
    order = np.argsort(person, kind="stable")
    left, right = [], []
    for step in range(1, PER_PERSON):  # all mated comparisons
        same = person[order[:-step]] == person[order[step:]]
        left.append(order[:-step][same])
        right.append(order[step:][same])
    mated = sum(map(len, left))
    drawn = np.unique(rng.integers(0, templates**2, int(1.05 * comparisons)))
    i, j = drawn // templates, drawn % templates
    fit = rng.permutation(np.flatnonzero((person[i] != person[j]) & (i != j)))
    fit = fit[: comparisons - mated]
    left, right = np.concatenate([*left, i[fit]]), np.concatenate([*right, j[fit]])
    shuffled = rng.permutation(len(left))
    left, right = left[shuffled], right[shuffled]
    label = person[left] == person[right]
    assert len(left) == comparisons
    with (meta / "ijbc_template_pair_label.txt").open("w") as file:
        for start in range(0, len(left), CHUNK):
            part = slice(start, start + CHUNK)
            rows = zip(
                ids[left[part]].tolist(),
                ids[right[part]].tolist(),
                label[part].astype(int).tolist(),
                strict=True,
            )
            file.write("".join(f"{a} {b} {m}\n" for a, b, m in rows))
    _write_embeddings(folder, person, faces)


def _write_embeddings(folder: Path, person: np.ndarray, faces: int) -> None:
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((int(person.max()) + 1, DIMENSIONS), dtype=np.float32)
    count = len(person) * faces
    vectors = np.lib.format.open_memmap(
        folder / "x.npy", mode="w+", dtype=np.float32, shape=(count, DIMENSIONS)
    )
    for start in range(0, count, CHUNK // 8):
        rows = np.arange(start, min(start + CHUNK // 8, count))
        noise = rng.standard_normal((len(rows), DIMENSIONS), dtype=np.float32)
        vectors[rows] = centres[person[rows // faces]] + 3.2 * noise
    vectors.flush()
    (folder / "names.txt").write_text("".join(f"{row + 1}.jpg\n" for row in range(count)))


def run(folder: Path) -> dict[str, object]:
    """From the folder and the embeddings' file to a record: seconds, peak memory, TARs; then the
    same TARs by a full sort of the same scores, and some scores by the definition.
    """
    started = time.perf_counter()
    from facebench.evaluation.evaluate import evaluate_many

    (record,) = evaluate_many(
        [],
        ["ijbc"],
        folder,
        embeddings=[(folder / "x.npy", folder / "names.txt")],
        progress=False,
    )
    seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak, cpu = usage.ru_maxrss / (1 << 20), usage.ru_utime + usage.ru_stime
    rates = {str(rate.target): rate.value for rate in record.statistics.rates}
    found = {"seconds": seconds, "cpu": cpu, "peak_gib": peak, "tar": rates}
    return {**found, **check(folder, rates)}


def check(folder: Path, rates: dict[str, float]) -> dict[str, object]:
    """``sorted``: TARs by a full sort; ``worst``: of scores against sums in float64."""
    from facebench.embedding.precomputed import load_embeddings, select
    from facebench.faces.ijb.ijbc import read_ijbc
    from facebench.protocols.kinds.templates.verification import score_split
    from facebench.similarity import Cosine
    from facebench.similarity.pooling import MeanPooler

    pairs = read_ijbc(folder / "meta", "ijbc")
    templates = pairs.templates
    given = load_embeddings(folder / "x.npy", folder / "names.txt")
    vectors = select(given, templates.keys).vectors
    pooler = MeanPooler("mean-score", Cosine(), len(templates))
    for start in range(0, len(vectors), 4096):
        part = slice(start, start + 4096)
        pooler.add(templates.row_template[part], vectors[templates.row_face[part]])
    scores = score_split(pairs, pooler.finish(), Cosine()).scores
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    worst = 0.0
    for pair in np.random.default_rng(2).integers(0, len(pairs), 200):
        sides = [
            unit[templates.row_face[templates.row_template == side]].astype(np.float64)
            for side in (pairs.left[pair], pairs.right[pair])
        ]
        worst = max(worst, abs(float((sides[0] @ sides[1].T).mean()) - float(scores[pair])))
    return {"sorted": by_full_sort(scores, pairs.mated, rates), "worst": worst}


def by_full_sort(scores: np.ndarray, mated: np.ndarray, rates: dict[str, float]) -> dict:
    order = np.argsort(-scores, kind="stable")
    ordered, flags = scores[order], mated[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    far = (np.cumsum(~flags)[last]) / (~mated).sum()
    tar = np.cumsum(flags)[last] / mated.sum()
    found = {}
    for target in rates:
        fits = np.searchsorted(far, float(target), side="right")
        found[target] = float(tar[fits - 1]) if fits else 0.0
    return found


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), *map(int, sys.argv[3:6]))
    else:
        print(json.dumps(run(Path(sys.argv[2]))))
