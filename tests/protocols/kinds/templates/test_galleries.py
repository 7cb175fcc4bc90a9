"""IJB-B's and IJB-C's 1:N: two galleries, searched apart, by loops over probes and templates."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.evaluation.evaluate import evaluate
from facebench.faces.ijb.check import check_ijbc
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.cards import TemplateSearchCard, load_protocol
from facebench.protocols.kinds.templates.search import PreparedTemplateSearch, prepare
from facebench.protocols.settings import Settings
from facebench.similarity import Cosine
from tests.helpers.ijb_folders import write_galleries
from tests.helpers.search_toys import outcome_of

PEOPLE = 8


def ready(name: str, data: Path) -> PreparedTemplateSearch:
    card = load_protocol(name)
    assert isinstance(card, TemplateSearchCard)
    return prepare(card, data, Settings(on_missing="count"), images=True)


def person(key: str) -> int:
    return int(key.removesuffix(".jpg")) // 1000


def vector(key: str) -> np.ndarray:
    noise = np.random.default_rng([*key.encode()]).normal(size=5)
    return np.random.default_rng(person(key)).normal(size=5) + 0.8 * noise


def embed(keys) -> list[Embeddings]:
    vectors = np.stack([vector(key) for key in keys]).astype(np.float32)
    return [Embeddings(tuple(keys), vectors, np.ones(len(keys), dtype=bool))]


def template(keys: list[str]) -> np.ndarray:
    """The mean of unit embeddings: the similarity of two templates is that of all pairs."""
    return np.mean([vector(key) / np.linalg.norm(vector(key)) for key in keys], axis=0)


def by_hand(faces: dict[int, list[str]], first: bool, fpir: float) -> dict[str, float]:
    """TPIR, DIR and the share at ranks 1 and 5 of one gallery, by its definition."""
    half = range(PEOPLE // 2) if first else range(PEOPLE // 2, PEOPLE)
    gallery = {who: template(faces[3 * who + 1]) for who in half}
    own, rank, others = [], [], []
    for number, keys in faces.items():
        who = (number - 1) // 3
        if number % 3 == 1:
            continue
        scores = {one: float(row @ template(keys)) for one, row in gallery.items()}
        if who in gallery:
            own.append(scores[who])
            rank.append(sum(score >= scores[who] for score in scores.values()))
        else:
            others.append(max(scores.values()))
    allowed = int(fpir * len(others))
    limit = sorted(others, reverse=True)[allowed]  # nobody at or below it is let in
    hit = np.array(own) > limit
    return {
        "TPIR": float(hit.mean()),
        "DIR": float((hit & (np.array(rank) == 1)).mean()),
        "rank-1": float((np.array(rank) == 1).mean()),
        "rank-5": float((np.array(rank) <= 5).mean()),
    }


@pytest.mark.parametrize("name", ["ijbb-search", "ijbc-search"])
def test_each_gallery_is_searched_apart_from_the_card_alone(name: str, tmp_path: Path) -> None:
    dataset = name.removesuffix("-search")
    prepared = ready(name, write_galleries(tmp_path, dataset))
    assert (prepared.faces.name, len(prepared.faces.keys)) == (dataset, 5 * PEOPLE)
    faces: dict[int, list[str]] = {}
    rows = (tmp_path / dataset.upper() / "meta" / f"{dataset}_face_tid_mid.txt").read_text()
    for row in rows.splitlines():
        file, number, _ = row.split()
        faces.setdefault(int(number), []).append(file)
    outcome = outcome_of(prepared, embed, Cosine(), Settings(draws=0))
    found = {(rate.name, rate.target): rate for rate in outcome.rates}
    for key, rate in (("TPIR", ("TPIR", 0.1)), ("DIR", ("DIR", 0.1)), ("rank-1", ("rank", 1)),
                      ("rank-5", ("rank", 5))):  # fmt: skip
        expected = [by_hand(faces, first, 0.1)[key] for first in (True, False)]
        assert found[rate].per_part == pytest.approx(expected)
        assert found[rate].value == pytest.approx(np.mean(expected))
    # Everybody is searched in both: a probe of the other gallery's people is a stranger in this.
    assert (outcome.total, outcome.mated, outcome.nonmated) == (4 * PEOPLE, 2 * PEOPLE, 2 * PEOPLE)
    assert outcome.counts["gallery templates"] == PEOPLE
    galleries = "S1 and S2" if dataset == "ijbb" else "G1 and G2"
    assert outcome.rule == f"exact, each in its gallery, mean over {galleries}"
    assert prepared.published_list is False  # by their counts


def test_a_record_says_which_galleries_it_is_the_mean_of(tmp_path: Path) -> None:
    def pixels(faces: np.ndarray) -> np.ndarray:
        small = faces[:, ::16, ::16].astype(np.float32).reshape(len(faces), -1)
        return small - small.mean(axis=1, keepdims=True)

    record = evaluate(
        pixels, "ijbc-search", write_galleries(tmp_path), options=ModelOptions(size=(112, 112)),
        draws=20, workers=0, progress=False,
    )  # fmt: skip
    assert "|rule:exact, each in its gallery, mean over G1 and G2|" in record.signature
    assert record.data.name == "ijbc" and record.data.fingerprint.startswith("ijbc-")


Damage = Callable[[Path], object]


def text(name: str, old: str, new: str) -> Damage:
    def damage(meta: Path) -> None:
        path = meta / f"ijbc_{name}"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return damage


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (text("1N_gallery_G1.csv", "TEMPLATE_ID", "TEMPLATE"), r"G1\.csv, line 1: .* no column"),
        (text("1N_gallery_G1.csv", "1,500,", "999,500,"), "line 2: template 999 has no face in"),
        (text("1N_probe_mixed.csv", "2,500,img/20", "2,x,img/20"), "SUBJECT_ID is 'x'"),
        (text("1N_probe_mixed.csv", "2,500,img/20", "2,501,img/20"), "template 2 is of subject"),
        (text("1N_gallery_G1.csv", ",501,", ",500,"), "subject 500 has 2 templates .* never merge"),
        (lambda meta: (meta / "ijbc_1N_gallery_G2.csv").unlink(), r"the 1:N list .*G2\.csv"),
        (lambda meta: (meta / "ijbc_1N_probe_mixed.csv").unlink(), r"probe_mixed\.csv"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_lists_is_one_line(
    damage: Damage, said: str, tmp_path: Path
) -> None:
    folder = write_galleries(tmp_path)
    damage(folder / "IJBC" / "meta")
    with pytest.raises(UserError) as caught:
        ready("ijbc-search", folder)
    assert re.search(said, str(caught.value)), caught.value


def test_data_check_tells_of_the_galleries(tmp_path: Path) -> None:
    folder = write_galleries(tmp_path)
    pairs = folder / "IJBC" / "meta" / "ijbc_template_pair_label.txt"
    pairs.write_text("1 2 1\n1 5 0\n")
    found = [text for ok, text in check_ijbc(folder, "ijbc") if text.startswith("1:N")]
    assert found == [
        "1:N: 16 probes, two galleries; NOT THE PUBLISHED LIST: 4 and 4 people in the galleries "
        "and 16 probes, published are 1,772 and 1,759 and 19,593"
    ]
    for path in pairs.parent.glob("*_1N_*"):
        path.unlink()
    assert (True, "1:N: there is no ijbc_1N_gallery_G1.csv; only 1:1 can be evaluated") in list(
        check_ijbc(folder, "ijbc")
    )
