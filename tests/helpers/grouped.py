"""Records with groups, of scores in tables: quick to make, and like any other."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from facebench.evaluation.evaluate import evaluate_many
from facebench.records.record import Record

GROUPS = ("blue", "green", "red")
CARD = """
name = "toy"
kind = "verification"
version = 1
title = "A toy"
source = "none"
dataset = "toy"
folds = 2
pair_list = "toy.csv"
targets = [0.1, 0.01]
notes = ""
{more}
"""


def write_toy(
    folder: Path,
    *,
    people: int = 60,
    each: int = 800,
    shares: tuple[float, ...] = (0.5, 0.3, 0.2),
    columns: bool = True,
    seed: int = 0,
    more: str = "",
) -> Path:
    """A card and its table of pairs with the columns ``colour_a``, ``colour_b``, ``glasses_a``,
    ``glasses_b`` and ``light`` (of the pair), and people.csv with everybody's colour; the card's
    path.
    """
    rng = np.random.default_rng(seed)
    counts = np.round(np.array(shares) * people).astype(int)
    colour = np.repeat(GROUPS[: len(shares)], counts)
    fold = np.arange(people) % 2
    worn = rng.random((people, 6)) < 0.3
    rows = []
    for number in range(2 * each):
        one = int(rng.integers(people))
        if number < each:
            other = one
            a, b = rng.permutation(6)[:2]
        else:
            own = np.flatnonzero((fold == fold[one]) & (np.arange(people) != one))
            other = int(rng.choice(own))
            a, b = rng.integers(6, size=2)
        row = [f"p{one}/{a}.jpg", f"p{other}/{b}.jpg", int(one == other), int(fold[one])]
        row += [f"p{one}", f"p{other}"]
        if columns:
            row += [colour[one], colour[other]]
            row += ["yes" if worn[p, i] else "no" for p, i in ((one, a), (other, b))]
            row += [("day", "night")[int(rng.integers(2))]]
        rows.append(row)
    rows = list({tuple(sorted(row[:2])): row for row in rows}.values())
    names = ["image_a", "image_b", "same", "fold", "subject_a", "subject_b"]
    names += ["colour_a", "colour_b", "glasses_a", "glasses_b", "light"] if columns else []
    _write(folder / "toy.csv", names, rows)
    _write(
        folder / "people.csv",
        ["subject", "colour"],
        [[f"p{number}", one] for number, one in enumerate(colour)],
    )
    card = folder / "toy.toml"
    card.write_text(CARD.format(more=more))
    return card


def write_scores(
    folder: Path, name: str, *, hurt: str = "", by: float = 0.0, noise: float = 0.0
) -> Path:
    """A table of scores; mated pairs of a colour score lower by so much."""
    rng = np.random.default_rng(1)
    other = np.random.default_rng(2)
    with (folder / "toy.csv").open() as file:
        rows = list(csv.DictReader(file))
    people = {name: rng.normal() for name in sorted({r["subject_a"] for r in rows})}
    people |= {r["subject_b"]: rng.normal() for r in rows if r["subject_b"] not in people}
    lines = []
    for row in rows:
        same = int(row["same"])
        score = 2.6 * same + rng.normal()
        score += 0.4 * (people[row["subject_a"]] + people[row["subject_b"]]) / 2
        score += noise * other.normal()
        if same and row.get("colour_a") == hurt:
            score -= by
        lines.append([row["image_a"], row["image_b"], f"{score:.6f}"])
    path = folder / f"{name}.csv"
    _write(path, ["image_a", "image_b", "score"], lines)
    return path


def toy_records(folder: Path, *groups: str, more: str = "", **told: object) -> list[Record]:
    """The base, and a candidate that hurts the red."""
    folder.mkdir(parents=True, exist_ok=True)
    card = write_toy(folder, more=more)
    scores = [
        write_scores(folder, "base"),
        write_scores(folder, "small", hurt="red", by=1.2, noise=0.1),
    ]
    options = {"groups": groups, "draws": 200, "progress": False} | told
    return list(evaluate_many([], [str(card)], scores=scores, **options))


def _write(path: Path, names: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)
