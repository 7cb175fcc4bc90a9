"""Identification runs: counts and rates from the data at hand, against a loop over probes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.faces.twins.lfw import twin_name
from facebench.protocols.cards import IdentificationCard, load_protocol
from facebench.protocols.kinds.identification import PreparedIdentification, prepare
from facebench.protocols.settings import Settings
from facebench.similarity.cosine import Cosine
from tests.helpers.search_toys import embed, embeddings, outcome_of, write_images

COUNTS = {"Ann": 4, "Bob": 3, "Cy": 2, "Dee": 1, "Eli": 5, "Fay": 1, "Gus": 2, "Hal": 1}
SUBJECTS = ["Ann", "Bob", "Cy", "Dee", "Ida"]  # Dee has one image only, Ida none


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and a working directory with a list of subjects."""
    (tmp_path / "protocols").mkdir()
    (tmp_path / "protocols" / "mine.txt").write_text("\n".join(SUBJECTS))
    monkeypatch.chdir(tmp_path)
    return write_images(tmp_path / "data", COUNTS)


def card(name: str, **changes) -> IdentificationCard:
    found = load_protocol(name)
    assert isinstance(found, IdentificationCard)
    return found.model_copy(update={"subjects": "mine.txt", "draws": 4} | changes)


def prepared(folder: Path, name: str = "lfw-open", **changes) -> PreparedIdentification:
    files = (folder, Settings(align="centre"))
    return prepare(card(name, **changes), *files, images=True)


def test_open_set_of_a_small_folder(folder: Path) -> None:
    run = prepared(folder)
    assert run.counts == {
        "gallery images": 6,
        "gallery identities": 3,
        "mated probes": 3,
        "non-mated probes": 10,
        "mated subjects": 3,
    }
    assert run.published_list is False and run.faces.told is None and run.faces.kind == "real"
    assert len(run.faces.keys) == 19 and run.faces.label == run.faces.contents
    outcome = outcome_of(run, embed(), Cosine(), Settings(draws=50))
    assert (outcome.total, outcome.mated, outcome.nonmated, outcome.failed) == (13, 3, 10, 0)
    assert outcome.subjects == 8 and outcome.parts == "draws" and outcome.number_of_parts == 4
    assert [(r.name, r.target) for r in outcome.rates] == [
        ("DIR", 0.01),
        ("DIR", 0.1),
        ("DIR", 0.001),
        ("rank", 1),
    ]
    assert [r.resolvable for r in outcome.rates] == [False, True, False, True]
    assert [series.name for series in outcome.series] == ["CMC", "DIR"]
    assert outcome.counts["gallery images not acquired"] == 0


def test_rates_equal_a_loop_over_probes(folder: Path) -> None:
    run = prepared(folder, fars=(0.25, 0.5))
    lost = ("Ann/Ann_0002.jpg", "Eli/Eli_0003.jpg", "Cy/Cy_0001.jpg")
    outcome = outcome_of(run, embed(lost=lost, noise=1.5), Cosine(), Settings(draws=0))
    found = embeddings(run.faces.keys, lost=lost, noise=1.5)
    who = [key.split("/")[0] for key in run.faces.keys]
    unit = found.vectors / np.maximum(np.linalg.norm(found.vectors, axis=1, keepdims=True), 1e-9)

    def score(i: int, j: int) -> float:
        return float(unit[i] @ unit[j]) if found.acquired[i] and found.acquired[j] else -np.inf

    for draw, drawn in enumerate(run.lists):
        inside = {who[g] for g in drawn.gallery}
        best = {p: max((score(p, g), who[g]) for g in drawn.gallery) for p in drawn.probes}
        alarms = sorted((best[p][0] for p in drawn.probes if who[p] not in inside), reverse=True)
        assert len(alarms) == 10
        for rate, allowed in zip(outcome.rates, (2, 5), strict=False):
            hits = sum(
                best[p][1] == who[p] and alarms[allowed] < best[p][0]
                for p in drawn.probes
                if who[p] in inside
            )
            assert rate.per_part[draw] == hits / 3
            assert rate.reached[draw] == allowed / 10
    assert all(rate.interval is not None for rate in outcome.rates)  # needs no draws
    values = outcome.rates[0].per_part
    assert outcome.rates[0].value == pytest.approx(np.mean(values))
    assert outcome.rates[0].spread == pytest.approx(np.std(values, ddof=1))
    assert outcome.rates[0].spread_kind == "standard deviation"


def test_closed_set_of_a_small_folder(folder: Path) -> None:
    run = prepared(folder, "lfw-closed", identities=len(SUBJECTS) + 3)
    assert run.counts == {
        "gallery images": 6,
        "gallery identities": 6,
        "mated probes": 6,
        "non-mated probes": 0,
        "mated subjects": 3,
    }
    outcome = outcome_of(run, embed(noise=0.01), Cosine(), Settings(draws=20))
    assert [(r.name, r.target, r.value) for r in outcome.rates] == [
        ("rank", 1, 1.0),
        ("rank", 5, 1.0),
        ("rank", 10, 1.0),
        ("rank", 20, 1.0),
    ]
    assert [series.name for series in outcome.series] == ["CMC"]
    assert outcome.series[0].x.tolist() == [1, 2, 3, 4, 5, 6]
    assert outcome.decided is not None and outcome.decided.decisions.all()


def test_faces_that_were_not_acquired_stay_in_every_count(folder: Path) -> None:
    run = prepared(folder, draws=1)
    drawn = run.lists[0]
    mated = [p for p in drawn.probes if run.people[p] in run.people[drawn.gallery]]
    lost = [run.faces.keys[mated[0]], run.faces.keys[drawn.gallery[0]]]
    outcome = outcome_of(run, embed(lost=lost, noise=0.01), Cosine(), Settings(draws=0))
    assert (outcome.total, outcome.mated, outcome.failed) == (13, 3, 1)
    assert outcome.counts["gallery images not acquired"] == 1
    assert outcome.rates[-1].value == 2 / 3
    assert outcome.rates[-1].spread == 0.0  # of one draw


@pytest.mark.parametrize("name", ["lfw-open", "lfw-closed"])
def test_searches_for_people_whose_gallery_faces_are_lost_have_failed(
    folder: Path, name: str
) -> None:
    run = prepared(folder, name, draws=1)
    drawn, ann = run.lists[0], run.people[run.faces.keys.index("Ann/Ann_0001.jpg")]
    lost = [run.faces.keys[g] for g in drawn.gallery if run.people[g] == ann]
    searches = int((run.people[drawn.probes] == ann).sum())  # 1 of the open, 3 of the closed set
    assert (len(lost), searches) == ((3, 1) if name == "lfw-open" else (1, 3))
    outcome = outcome_of(run, embed(lost=lost, noise=0.01), Cosine(), Settings(draws=0))
    assert outcome.failed == searches
    # Nothing of one of three people is found, whatever share of the probes is hers.
    assert all(rate.over_people == pytest.approx(2 / 3) for rate in outcome.rates)
    assert outcome.counts["mated probes of one person at most"] == searches
    found = next(rate for rate in outcome.rates if (rate.name, rate.target) == ("rank", 1))
    assert found.value == (outcome.mated - searches) / outcome.mated
    # A probe that was lost as well is still one failed search.
    probe = next(run.faces.keys[p] for p in drawn.probes if run.people[p] == ann)
    again = outcome_of(run, embed(lost=[*lost, probe], noise=0.01), Cosine(), Settings(draws=0))
    assert (again.failed, again.total) == (searches, outcome.total)


def test_decisions_are_those_of_the_headline(folder: Path) -> None:
    run = prepared(folder, fars=(0.25,))
    outcome = outcome_of(run, embed(noise=1.5), Cosine(), Settings(draws=30))
    decided, rate = outcome.decided, outcome.rates[0]
    assert decided is not None and len(decided.scores) == 4 * 13
    assert decided.left_subjects is not None
    for part in range(1, 5):
        rows = decided.parts == part
        hits = decided.decisions[rows & decided.mated].mean()
        alarms = decided.decisions[rows & ~decided.mated].mean()
        assert hits == rate.per_part[part - 1] and alarms == rate.reached[part - 1]


def test_rendered_people_have_subjects_of_their_own(tmp_path: Path) -> None:
    names = {twin_name(i): 2 if i <= 14 else 1 for i in range(1, 40)}
    folder = write_images(tmp_path / "twin", names, rendered=True)
    found = load_protocol("lfw-open")
    assert isinstance(found, IdentificationCard)
    run = prepare(found, folder, images=True)
    assert run.faces.kind == "synthetic" and run.published_list is None
    assert run.faces.told is not None and run.faces.told.startswith("SYNTHETIC FACES")
    assert run.counts["mated subjects"] == round(14 * 596 / 1680) == 5
    assert run.counts["gallery images"] == 5 and run.counts["non-mated probes"] == 53 - 10


def test_lfw_mini_is_not_the_published_list(shared_data: Path) -> None:
    for name in ("lfw-open", "lfw-closed"):
        found = load_protocol(name)
        assert isinstance(found, IdentificationCard)
        run = prepare(found, shared_data / "lfw-mini", images=True)
        assert run.published_list is False
        assert len(run.faces.keys) == 901 and run.counts["mated subjects"] > 50
        assert run.faces.aligner is not None and run.faces.aligner.signature.startswith(
            "landmarks-5pt("
        )
        outcome = outcome_of(run, embed(), Cosine(), Settings(draws=20))
        assert outcome.total == sum(run.counts[f"{kind} probes"] for kind in ("mated", "non-mated"))


def test_all_of_lfw_by_its_people_list_has_the_published_counts(shared_data: Path) -> None:
    official = shared_data / "protocols" / "lfw_people.txt"
    for name in ("lfw-open", "lfw-closed"):
        found = load_protocol(name)
        assert isinstance(found, IdentificationCard)
        run = prepare(found, None, Settings(pairs=official), images=False)
        assert len(run.faces.keys) == 13233 and run.faces.source is None
        assert run.faces.label == "lfw-unseen" and run.faces.contents is None
        # The counts are the published ones; which image is which, nobody published.
        assert run.published_list is None
        assert run.counts["gallery images"] == found.gallery


def test_fingerprint_pins_the_searches(folder: Path) -> None:
    one = prepared(folder)
    assert one.fingerprint == prepared(folder).fingerprint
    others = [prepared(folder, seed=1), prepared(folder, draws=5), prepared(folder, "lfw-closed")]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_mistakes_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data=, or the official people\.txt"):
        prepare(card("lfw-open"), None, images=False)
    with pytest.raises(UserError, match=r"pairs='list\.txt' has no effect"):
        prepare(card("lfw-open"), folder, Settings(pairs="list.txt"), images=True)
    with pytest.raises(UserError, match="there is no folder"):
        prepare(card("lfw-open"), tmp_path / "absent", images=True)
    run = prepared(folder)
    with pytest.raises(UserError, match="pooling='max-score' has no effect"):
        outcome_of(run, embed(), Cosine(), Settings(pooling="max-score"))
    assert run.pooling(Settings()) == "none"
    alone = write_images(tmp_path / "alone", {"Ann": 2, "Bob": 2})
    with pytest.raises(UserError, match="lfw-open: there must be mated and non-mated probes"):
        outcome_of(prepared(alone), embed(), Cosine(), Settings(draws=0))


def test_embeddings_may_come_with_a_folder_of_images(folder: Path) -> None:
    run = prepare(card("lfw-open"), folder, images=False)
    assert run.faces.aligner is None and run.faces.source is not None and len(run.faces.keys) == 19
