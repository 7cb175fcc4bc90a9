"""Searches of a list: against a loop over probes, in any order of parts, on images and off them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.protocols.cards import SearchCard
from facebench.protocols.kinds import galleries
from facebench.protocols.kinds.galleries import PreparedSearch, prepare
from facebench.protocols.settings import Settings
from facebench.similarity.cosine import Cosine

CARD = SearchCard(
    name="door",
    kind="search",
    version=1,
    title="Door",
    source="made",
    dataset="door",
    search_list="door.csv",
    fars=(0.25, 0.5),
    ranks=(1, 3),
)


def a_list(people=40, crowd=300, probes=60):
    """(rows of a list in mixed order, embeddings by image): people of one to three gallery images,
    of whom half are searched, and strangers.
    """
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((people + probes, 16))
    rows, vectors = [], {}

    def add(image, subject, kind, centre):
        rows.append(f"{image},{subject},{kind}")
        vectors[image] = centre + rng.standard_normal(16)

    for person in range(people):
        for number in range(1 + person % 3):
            add(f"g{person}-{number}.jpg", f"P{person}", "gallery", centres[person])
    for number in range(probes):
        person = number if number % 2 and number < people else people + number
        add(f"p{number}.jpg", f"P{person}", "probe", centres[person])
    for number in range(crowd):
        subject = f"C{number % 20}" if number < 50 else ""
        add(f"d{number}.jpg", subject, "distractor", rng.standard_normal(16))
    order = rng.permutation(len(rows))
    return [rows[row] for row in order], vectors


def prepared(folder: Path, rows, card: SearchCard = CARD) -> PreparedSearch:
    path = folder / "door.csv"
    path.write_text("\n".join(["image,subject,set", *rows]))
    return prepare(card, None, Settings(pairs=path), images=False)


def embedded(keys, vectors, lost=(), size=37):
    for start in range(0, len(keys), size):
        some = tuple(keys[start : start + size])
        acquired = np.array([key not in lost for key in some])
        found = np.array([vectors[key] * (key not in lost) for key in some], dtype=np.float32)
        yield Embeddings(some, found, acquired)


def expected_of(rows, vectors, lost):
    """(own, other, ahead) by probe, identity by identity, as a plain loop has them."""
    unit = {k: v / np.linalg.norm(v) for k, v in vectors.items()}
    parsed = [row.split(",") for row in rows]
    gallery: dict[str, list[str]] = {}
    for image, subject, kind in parsed:
        if kind != "probe":
            gallery.setdefault(subject or image, []).append(image)
    found = {}
    for image, subject, kind in parsed:
        if kind != "probe":
            continue
        best = {
            who: max(
                (float(unit[image] @ unit[one]) for one in own if not {image, one} & set(lost)),
                default=-np.inf,
            )
            for who, own in gallery.items()
        }
        own = best.pop(subject, -np.inf)
        ahead = sum(score >= own for score in best.values())
        found[image] = (own, max(best.values()), ahead, subject in gallery)
    return found


@pytest.mark.parametrize("order", ["asked", "sorted"])
def test_rates_are_those_of_a_loop(tmp_path: Path, monkeypatch, order: str) -> None:
    monkeypatch.setattr(galleries, "SLAB", 50)
    rows, vectors = a_list()
    run = prepared(tmp_path, rows)
    lost = {"p1.jpg", "p2.jpg", "g5-0.jpg", "g5-1.jpg", "g5-2.jpg", "g7-1.jpg", "d3.jpg"}
    keys = run.keys(Settings()) if order == "asked" else sorted(run.keys(Settings()))
    outcome = run.run(embedded(keys, vectors, lost), Cosine(), Settings())
    expected = expected_of(rows, vectors, lost)
    mated = {p: e for p, e in expected.items() if e[3]}
    strangers = sorted((e[1] for e in expected.values() if not e[3]), reverse=True)
    assert (outcome.total, outcome.mated, outcome.nonmated) == (60, len(mated), 60 - len(mated))
    for rate in outcome.rates[:2]:
        bar = strangers[int(rate.target * len(strangers))]
        hits = [own > bar and ahead < 1 for own, _, ahead, _ in mated.values()]
        assert rate.value == pytest.approx(np.mean(hits), abs=1e-12)
    for rate in outcome.rates[2:]:
        hits = [ahead < rate.target and own > -np.inf for own, _, ahead, _ in mated.values()]
        assert rate.value == pytest.approx(np.mean(hits), abs=1e-12)
    assert 0 < outcome.rates[0].value < outcome.rates[-1].value < 1
    cmc = next(series for series in outcome.series if series.name == "CMC")
    assert cmc.y[-1] == pytest.approx(1 - 2 / len(mated))  # a lost probe, a lost person
    assert outcome.failed == 3
    assert outcome.counts["gallery identities"] == 40 + 20 + 250
    assert outcome.counts["gallery images not acquired"] == 5
    assert outcome.rates[0].interval is not None and outcome.decided is not None


def test_slabs_and_order_change_no_bit(tmp_path: Path, monkeypatch) -> None:
    rows, vectors = a_list()
    found = []
    for slab, sort, listed in ((1 << 16, False, rows), (7, True, rows), (90, True, rows[::-1])):
        monkeypatch.setattr(galleries, "SLAB", slab)
        run = prepared(tmp_path, listed)
        keys = sorted(run.keys(Settings())) if sort else run.keys(Settings())
        outcome = run.run(embedded(keys, vectors), Cosine(), Settings())
        scores = dict(zip(run.listed.images, outcome.decided.scores.tolist(), strict=False))
        found.append((sorted(scores.items()), [rate.value for rate in outcome.rates]))
    assert found[0] == found[1] == found[2]


def test_of_known_people_alone_ranks_lead_and_fars_are_refused(tmp_path: Path) -> None:
    rows = ["p,Ann,probe", "g,Ann,gallery", "d,,distractor"]
    vectors = {"p": np.array([1.0, 0]), "g": np.array([1.0, 0.5]), "d": np.array([0, 1.0])}
    closed = prepared(tmp_path, rows, CARD.model_copy(update={"fars": (), "ranks": (1,)}))
    outcome = closed.run(embedded(closed.keys(Settings()), vectors), Cosine(), Settings())
    assert [(rate.name, rate.value) for rate in outcome.rates] == [("rank", 1.0)]
    run = prepared(tmp_path, rows)
    with pytest.raises(UserError, match=r"protocol door: .*non-mated"):
        run.run(embedded(run.keys(Settings()), vectors), Cosine(), Settings())


def test_probes_that_were_all_lost_are_found_nowhere(tmp_path: Path) -> None:
    rows, vectors = a_list(crowd=30)
    run = prepared(tmp_path, rows)
    lost = {f"p{number}.jpg" for number in range(60)}
    parts = [
        Embeddings(p.keys, p.vectors if p.acquired.any() else p.vectors[:, :0], p.acquired)
        for p in embedded(run.keys(Settings()), vectors, lost, size=10)
    ]
    outcome = run.run(parts, Cosine(), Settings())
    assert outcome.failed == 60 and {rate.value for rate in outcome.rates} == {0.0}


def test_a_pinned_list_is_told_from_others(tmp_path: Path) -> None:
    rows, _ = a_list()
    run = prepared(tmp_path, rows)
    assert run.published_list is None
    pinned = CARD.model_copy(update={"searches": run.listed.fingerprint})
    assert prepared(tmp_path, rows, pinned).published_list is True
    assert prepared(tmp_path, rows[:-1], pinned).published_list is False


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no list door\.csv in"):
        prepare(CARD, None, Settings(), images=False)
