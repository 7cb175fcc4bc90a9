"""Search of templates: by loops, each split in its own gallery."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.protocols.cards import TemplateSearchCard, load_protocol
from facebench.protocols.kinds.templates.search import prepare
from facebench.protocols.settings import Settings
from facebench.similarity import Cosine
from tests.helpers.ijb_folders import write_ijba, write_image
from tests.helpers.search_toys import Embed, outcome_of

CARD = TemplateSearchCard(
    name="small",
    kind="template-search",
    version=1,
    title="t",
    source="s",
    dataset="ijba",
    layout="ijba",
    splits=2,
    fpirs=(0.25, 0.1),
    ranks=(1, 2),
)
PEOPLE, ENROLLED = 8, 4


def person(key: str) -> int:
    return int(key.split("/")[1].split("_")[0])


def vector(key: str) -> np.ndarray:
    noise = np.random.default_rng(list(key.encode())).normal(size=6)
    who = np.random.default_rng(person(key)).normal(size=6)
    return (who + 0.6 * noise).astype(np.float32)


def embed_of(lost: tuple[str, ...] = ()) -> Embed:
    def all_of(keys) -> list[Embeddings]:
        acquired = np.array([key not in lost for key in keys])
        vectors = np.stack([vector(key) for key in keys]) * acquired[:, None]
        return [Embeddings(tuple(keys), vectors.astype(np.float32), acquired)]

    return all_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two splits; 4 of 8 people enrolled, other ones in each; a probe of two images each."""
    folder = write_ijba(tmp_path / "ijba", images=False)
    header = "TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT"
    for split in (1, 2):
        enrolled = range(ENROLLED) if split == 1 else range(ENROLLED, PEOPLE)
        gallery = [f"{p + 1},{p},img/{p}_g{split}.jpg,{p},0,0,9,9" for p in enrolled]
        probes = [
            f"{100 + p},{p},img/{p}_{n}.jpg,{50 + 2 * p + n},0,0,9,9"
            for p in range(PEOPLE)
            for n in (0, 1)
        ]
        for name, rows in (("gallery", gallery), ("probe", probes)):
            path = folder / f"IJB-A_1N_sets/split{split}/search_{name}_{split}.csv"
            path.write_text("\n".join([header, *rows]) + "\n")
            for row in rows:
                write_image(folder / "images" / row.split(",")[2])
    return folder


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def loop(
    split: int, far: float, rank: int, lost: tuple[str, ...] = ()
) -> tuple[float, float, float]:
    """(TPIR, DIR at FPIR, share within a rank) of one split, by loops over probes and gallery."""
    enrolled = list(range(ENROLLED) if split == 1 else range(ENROLLED, PEOPLE))
    rows = {p: unit(vector(f"img/{p}_g{split}.jpg").astype(float)) for p in enrolled}
    own, best, ranks = {}, {}, {}
    for p in range(PEOPLE):
        keys = [k for k in (f"img/{p}_0.jpg", f"img/{p}_1.jpg") if k not in lost]
        if not keys:
            continue
        probe = np.mean([unit(vector(k).astype(float)) for k in keys], axis=0)
        scores = {other: float(rows[other] @ probe) for other in enrolled}
        if p in scores:
            own[p] = scores[p]
            ranks[p] = sum(s >= scores[p] for s in scores.values())
        else:
            best[p] = max(scores.values())
    nonmated = PEOPLE - ENROLLED
    thresholds = sorted({*own.values(), *best.values()})
    fits = [t for t in thresholds if sum(b >= t for b in best.values()) <= far * nonmated]
    threshold = min(fits, default=np.inf)
    detected = [p for p in own if own[p] >= threshold]
    first = [p for p in detected if ranks[p] == 1]
    within = [p for p in ranks if ranks[p] <= rank]
    return tuple(len(found) / len(enrolled) for found in (detected, first, within))


@pytest.mark.parametrize("lost", [(), ("img/1_0.jpg", "img/1_1.jpg", "img/6_0.jpg", "img/6_1.jpg")])
def test_rates_equal_loops(folder: Path, lost) -> None:
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(lost), Cosine(), Settings(draws=0))
    names = [(rate.name, rate.target) for rate in outcome.rates]
    detections = [(name, far) for name in ("TPIR", "DIR") for far in (0.25, 0.1)]
    assert names == [*detections, ("rank", 1), ("rank", 2)]
    for rate in outcome.rates:
        far, rank = (0.25, int(rate.target)) if rate.name == "rank" else (rate.target, 1)
        which = ("TPIR", "DIR", "rank").index(rate.name)
        expected = [loop(split, far, rank, lost)[which] for split in (1, 2)]
        assert rate.per_part == pytest.approx(expected)
        assert rate.value == pytest.approx(np.mean(expected))
        assert rate.spread == pytest.approx(np.std(expected, ddof=1))
        assert rate.over_people == pytest.approx(rate.value)  # everybody is searched once a split
        if rate.name == "rank":
            kept = outcome.decided
            within = (kept.ranks > 0) & (kept.ranks <= rank)
            assert within[kept.mated].mean() == pytest.approx(rate.value)
            assert not within[~kept.mated].any()
    assert [rate.resolvable for rate in outcome.rates] == [True, False, True, False, True, True]
    assert outcome.failed == len(lost)  # two templates in each of the two splits


def test_the_outcome(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(), Cosine(), Settings(draws=50))
    assert (outcome.total, outcome.mated, outcome.nonmated) == (16, 8, 8)
    assert (outcome.subjects, outcome.number_of_parts) == (PEOPLE, 2)
    assert outcome.counts["gallery templates"] == 8
    assert all(rate.interval is not None for rate in outcome.rates)
    assert [series.name for series in outcome.series] == ["TPIR", "CMC"]
    assert outcome.series[1].y[-1] == 1.0
    assert outcome.decided.parts.tolist() == [1] * 8 + [2] * 8
    assert outcome.decided.right_subjects is None


def test_trap_the_galleries_of_two_splits_are_not_merged(folder: Path) -> None:
    """In a merged gallery of all eight people no probe would be non-mated."""
    outcome = outcome_of(
        prepare(CARD, folder, images=True), embed_of(), Cosine(), Settings(draws=0)
    )
    mated = outcome.decided.mated.reshape(2, PEOPLE)
    assert mated[0].tolist() == [True] * 4 + [False] * 4
    assert np.array_equal(mated[1], ~mated[0])


def relabelled(folder: Path) -> None:
    """Probes of two people exchange their names; faces, templates and media stay."""
    for split in (1, 2):
        path = folder / f"IJB-A_1N_sets/split{split}/search_probe_{split}.csv"
        rows = [line.split(",") for line in path.read_text().splitlines()]
        other = {"0": "1", "1": "0"}
        path.write_text("".join(",".join([a, other.get(b, b), *c]) + "\n" for a, b, *c in rows))


def test_trap_whose_the_probes_are_is_in_the_fingerprint(folder: Path) -> None:
    """The rates depend on it, so two such lists must not share a signature."""
    found = []
    for _ in range(2):
        prepared = prepare(CARD, folder, images=True)
        found.append(outcome_of(prepared, embed_of(), Cosine(), Settings(draws=0)))
        relabelled(folder)
    assert [r.value for r in found[0].rates] != [r.value for r in found[1].rates]
    assert found[0].fingerprint != found[1].fingerprint
    prepared = prepare(CARD, folder, images=True)  # as it was
    again = outcome_of(prepared, embed_of(), Cosine(), Settings(draws=0))
    assert again.fingerprint == found[0].fingerprint


def test_what_records_say_of_pooling_pins_the_detector_scores(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=False)
    choices = Settings(pooling="media-mean+detector", draws=0)
    with pytest.raises(UserError, match="needs the detector's score"):  # IJB-A has none
        prepared.pooling(choices)
    told = []
    for share in (1.0, 0.5):
        scores = {key: share * person(key) / PEOPLE for key in prepared.faces.keys}
        scored = replace(prepared, faces=replace(prepared.faces, scores=scores))
        told.append(scored.pooling(choices))
        assert outcome_of(scored, embed_of(), Cosine(), choices).total == 16
    assert all(re.fullmatch(r"media-mean\+detector\([0-9a-f]{8}\)", text) for text in told)
    assert told[0] != told[1]


def test_lists_alone_serve_embeddings(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=False)
    assert prepared.faces.source is None
    assert outcome_of(prepared, embed_of(), Cosine(), Settings(draws=0)).total == 16


def test_the_card() -> None:
    card = load_protocol("ijba-search")
    assert isinstance(card, TemplateSearchCard)
    assert set(card.fpirs) == {0.1, 0.01} and card.ranks == (1, 5) and card.splits == 10
