"""Figures of the ablation's networks on held-out people, written into docs/tables/ablation.csv.

``python docs/make/ablation.py FACES TEACHER LFW WORK RUN[:BASE]...`` in the checkout: WORK is the
``--work`` of the trainings ``abl_RUN`` of docs/training.md. Of a run with a base, the difference
from it, too, with a 95% interval from 1,000 draws of the held-out people, the same for both.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from values import rows_in

from facebench.base.storage import write_atomically
from facebench.cli.lab import Lab, learned_from, prepare
from facebench.lab.data.people import held_out_figures, outputs_of
from facebench.lab.data.sources import TrainingData
from facebench.lab.laboratory.work_folder import FINAL
from facebench.lab.learning.learner import untrained
from facebench.lab.learning.recipes import load_recipe
from facebench.models.embedders.base import unit
from facebench.tables.csv import to_csv

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "tables" / "ablation.csv"
FIGURES = {
    "error": "error_f",
    "error_regressed": "error_regressed",
    "true_matches": "true_matches_f",
    "true_matches_regressed": "true_matches_regressed",
    "cosine_to_teacher": "cosine",
}
DRAWS, BINS = 1000, 2000


class Scores:
    """Scores of all pairs of people held out, counted in bins: of each person, and of each two."""

    def __init__(self, embeddings: NDArray[np.float32], people: NDArray[np.int64]) -> None:
        own = [unit(embeddings[people == person]) for person in np.unique(people)]
        self.mated = np.zeros((len(own), BINS), np.float32)
        self.others = np.zeros((len(own), len(own), BINS), np.float32)
        for one, faces in enumerate(own):
            self.mated[one] = _counts((faces @ faces.T)[np.triu_indices(len(faces), 1)])
            for two in range(one + 1, len(own)):
                self.others[one, two] = _counts((faces @ own[two].T).ravel())

    def errors(self, drawn: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of each row of ``drawn``, the least mean of both error rates where person i counts
        ``drawn[row, i]`` times.
        """
        others = np.zeros((len(drawn), BINS))
        for two in range(drawn.shape[1]):
            others += drawn[:, two, None] * (drawn @ self.others[:, two])
        missed = np.cumsum(drawn @ self.mated, axis=1, dtype=np.float64)
        taken = np.cumsum(others, axis=1)
        rates = missed / missed[:, -1:] + 1 - taken / taken[:, -1:]
        return rates.min(1) / 2


def _counts(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    places = np.clip(((scores + 1) / 2 * BINS).astype(np.int64), 0, BINS - 1)
    return np.bincount(places, minlength=BINS)


def difference(one: Scores, base: Scores) -> list[float]:
    """Of two networks' errors, with both ends of its interval."""
    rng, people = np.random.default_rng(0), len(one.mated)
    drawn = [np.ones(people)]
    for _ in range(DRAWS):
        drawn.append(np.bincount(rng.integers(0, people, people), minlength=people))
    times = np.array(drawn, np.float32)
    found = one.errors(times) - base.errors(times)
    values = [found[0], *np.quantile(found[1:], [0.025, 0.975])]
    return [round(float(value), 5) for value in values]


def judged(
    run: str, recipe: str, work: Path, data: TrainingData
) -> tuple[dict[str, float], dict[str, Scores]]:
    """Figures of a run by the table's names, and its scores by output ("f", "regressed")."""
    (file,) = work.glob(f"abl_{run}-*/{FINAL}")
    given = load_recipe(str(ROOT / "models" / "recipes" / "ablation" / f"{recipe}.toml"))
    learner = untrained(given, 0.25, (112, 96), data, 0)
    learner.load(file)
    net, supervision = learner.plain(), learner.supervision
    figures = held_out_figures(net, supervision, data)
    outputs = np.concatenate(list(outputs_of(net, data, np.arange(len(data.held_out.labels)))))
    with torch.no_grad():
        regressed = supervision.regressor(torch.from_numpy(outputs)).numpy()
    assert data.strangers is not None
    people = data.held_out.labels[data.strangers]
    return {name: round(figures[key], 5) for key, name in FIGURES.items()}, {
        "f": Scores(outputs[data.strangers], people),
        "regressed": Scores(regressed[data.strangers], people),
    }


def main(faces: str, teacher: str, lfw: str, work: str, *runs: str) -> None:
    """Write the rows of some runs."""
    lab = Lab(
        (faces,), Path(teacher), hold_out=150, apart_from=Path(lfw), apart_source=("fiw",),
        threads=1, work=Path(work),
    )  # fmt: skip
    prepare(lab, ())
    data, _ = learned_from(lab, load_recipe("short"))
    rows = rows_in(TABLE)
    by_name, made = {row["run"]: row for row in rows}, {}
    for run, _, base in (text.partition(":") for text in runs):
        for name in filter(None, (run, base)):
            if name not in made:
                made[name] = judged(name, by_name[name]["recipe"], Path(work), data)
        row, (figures, scores) = by_name[run], made[run]
        row |= {**figures, "source": "judged"}
        if base:
            row["base"] = base
            for kind, own in scores.items():
                names = (f"difference_{kind}{end}" for end in ("", "_low", "_high"))
                row |= dict(zip(names, difference(own, made[base][1][kind]), strict=True))
    write_atomically(TABLE, to_csv(rows).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
