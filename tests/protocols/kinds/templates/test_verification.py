"""Template protocols over small folders: every number again, by loops over pairs of faces."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.protocols.cards import TemplateCard, load_protocol
from facebench.protocols.kinds.templates.verification import prepare
from facebench.protocols.settings import Settings
from facebench.similarity import Cosine
from tests.helpers.ijb_folders import COMPARISONS, ROWS, metadata, write_ijba, write_ijbc
from tests.helpers.search_toys import Embed, outcome_of

CARD = TemplateCard(
    name="small",
    kind="template",
    version=1,
    title="t",
    source="s",
    dataset="ijba",
    layout="ijba",
    splits=2,
    targets=(0.2, 0.1),
)
IJBC = CARD.model_copy(update={"dataset": "ijbc", "layout": "ijbc", "splits": 1})
QUICK = Settings(draws=0)


def vector(key: str, width: int = 8) -> np.ndarray:
    rng = np.random.default_rng(list(key.encode()))
    return (rng.normal(size=width) * rng.uniform(0.5, 2)).astype(np.float32)


def embed_of(lost: tuple[str, ...] = (), part: int = 3) -> Embed:
    """Embeddings by name, in parts of some faces; those of ``lost`` were not acquired."""

    def all_of(keys) -> Embeddings:
        acquired = np.array([key not in lost for key in keys])
        vectors = np.stack([vector(key) for key in keys]) * acquired[:, None]
        return Embeddings(tuple(keys), vectors.astype(np.float32), acquired)

    return lambda keys: (all_of(keys[at : at + part]) for at in range(0, len(keys), part))


def key_of(row) -> str:
    file, box = row[2], row[5]
    return f"{file}#{','.join(map(str, box))}" if file == "img/2.jpg" else file


def unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def loop_score(
    pooling: str, one: int, other: int, lost: tuple[str, ...] = (), listed: tuple = ROWS
) -> float:
    """The score of two templates, from the definition of the pooling."""
    sides = []
    for template in (one, other):
        rows = [row for row in listed if row[0] == template and key_of(row) not in lost]
        sides.append([(row[3], vector(key_of(row)).astype(np.float64)) for row in rows])
    if not all(sides):
        return -np.inf
    if pooling == "mean-score":
        return float(np.mean([unit(a) @ unit(b) for _, a in sides[0] for _, b in sides[1]]))
    if pooling == "mean-score+norm":
        weight = np.linalg.norm
        over = [
            (weight(a) * weight(b), unit(a) @ unit(b)) for _, a in sides[0] for _, b in sides[1]
        ]
        return float(sum(w * s for w, s in over) / sum(w for w, _ in over))
    means = []
    for side in sides:
        media = [
            np.mean([unit(v) for medium, v in side if medium == m], axis=0)
            for m in {medium for medium, _ in side}
        ]
        means.append(unit(np.mean(media, axis=0)))
    return float(means[0] @ means[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ijba(tmp_path / "ijba")


@pytest.mark.parametrize("pooling", ["mean-score", "mean-score+norm", "media-mean"])
@pytest.mark.parametrize("lost", [(), ("frame/7_1.png", "img/3.jpg")])
def test_scores_equal_a_loop_over_faces(folder: Path, pooling: str, lost) -> None:
    prepared = prepare(CARD, folder, images=True)
    choices = Settings(pooling=pooling, draws=0)
    outcome = outcome_of(prepared, embed_of(lost), Cosine(), choices)
    expected = [loop_score(pooling, a, b, lost) for a, b in COMPARISONS] * 2
    np.testing.assert_allclose(outcome.decided.scores, expected, atol=1e-6)
    assert prepared.pooling(choices) == pooling


@pytest.mark.parametrize("pooling", ["mean-score", "mean-score+norm", "media-mean"])
def test_a_face_that_its_template_names_twice_counts_twice(folder: Path, pooling: str) -> None:
    listed = (*ROWS[:3], ROWS[1], *ROWS[3:])
    for number in (1, 2):
        path = folder / "IJB-A_11_sets" / f"split{number}" / f"verify_metadata_{number}.csv"
        path.write_text(metadata(listed))
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(), Cosine(), Settings(pooling=pooling, draws=0))
    expected = [loop_score(pooling, a, b, (), listed) for a, b in COMPARISONS] * 2
    np.testing.assert_allclose(outcome.decided.scores, expected, atol=1e-6)
    assert prepared.faces.remarks == (
        "the lists name 2 faces that their template names already (the first is frame/7_1.png of "
        "template 10); every row counts as listed",
    )


def test_embeddings_named_by_file_serve_boxes_of_one_face(folder: Path) -> None:
    path = folder / "IJB-A_11_sets" / "split2" / "verify_metadata_2.csv"
    path.write_text(metadata([(*ROWS[0][:5], (10.333333333, 12, 20, 24)), *ROWS[1:]]))
    prepared = prepare(CARD, folder, images=False)
    # Only the photograph of two people needs to be named by its boxes.
    assert [key for key in prepared.faces.keys if "#" in key] == [
        "img/2.jpg#4,4,20,20",
        "img/2.jpg#40,8,18,20",
    ]
    assert len(prepared.faces.keys) == len(ROWS)


def test_the_outcome(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(), Cosine(), Settings(draws=20))
    assert (outcome.total, outcome.mated, outcome.nonmated, outcome.subjects) == (16, 6, 10, 3)
    assert (outcome.parts, outcome.number_of_parts, outcome.failed) == ("splits", 2, 0)
    scores = np.array([loop_score("mean-score", a, b) for a, b in COMPARISONS])
    mated = np.array([True] * 3 + [False] * 5)
    # FAR 0.2 of five non-mated is one false accept: above the second highest of them.
    expected = np.mean(scores[mated] > np.sort(scores[~mated])[-2])
    headline = outcome.rates[0]
    assert (headline.name, headline.target, headline.value) == ("TAR", 0.2, expected)
    assert headline.per_part == (expected, expected) and headline.spread == 0
    assert headline.spread_kind == "standard deviation" and headline.resolvable
    assert headline.interval is not None and headline.interval.kind == "dyadic over subjects"
    assert not outcome.rates[1].resolvable
    decided = outcome.decided
    assert decided.parts.tolist() == [1] * 8 + [2] * 8
    thresholds = np.repeat(headline.thresholds, 8)
    assert np.array_equal(decided.decisions, decided.scores >= thresholds)
    assert np.array_equal(decided.left_subjects == decided.right_subjects, decided.mated)
    assert outcome.series[0].name == "ROC"


def test_trap_a_template_without_an_acquired_face_stays_as_a_failure(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(("img/3.jpg",)), Cosine(), QUICK)  # all of template 21
    lost = [21 in pair for pair in COMPARISONS] * 2
    assert (outcome.total, outcome.failed) == (16, 6)
    assert np.array_equal(np.isneginf(outcome.decided.scores), lost)
    assert not outcome.decided.decisions[lost].any()
    assert all(point <= 2 / 3 for point in outcome.rates[0].per_part)


def test_nothing_acquired_at_all(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    outcome = outcome_of(prepared, embed_of(prepared.faces.keys), Cosine(), QUICK)
    assert outcome.failed == outcome.total == 16
    assert outcome.rates[0].value == 0.0


def test_a_face_of_several_templates_and_splits_is_embedded_once(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    assert len(prepared.faces.keys) == len(ROWS) == len(set(prepared.faces.keys))
    outcomes = [
        outcome_of(prepared, embed_of(part=part), Cosine(), QUICK).decided.scores
        for part in (1, 3, 100)
    ]
    np.testing.assert_allclose(outcomes[0], outcomes[1], atol=1e-6)
    np.testing.assert_allclose(outcomes[0], outcomes[2], atol=1e-6)


def test_the_fingerprint_tells_lists_apart(folder: Path, tmp_path: Path) -> None:
    first = outcome_of(prepare(CARD, folder, images=True), embed_of(), Cosine(), QUICK)
    path = folder / "IJB-A_11_sets/split2/verify_comparisons_2.csv"
    path.write_text(path.read_text().replace("21,31", "11,31"))
    other = outcome_of(prepare(CARD, folder, images=True), embed_of(), Cosine(), QUICK)
    assert first.fingerprint != other.fingerprint and len(first.fingerprint) == 16


def test_absent_images(folder: Path) -> None:
    (folder / "images/img/4.jpg").unlink()
    with pytest.raises(UserError, match=r"1 of 8 images of ijba cannot be used \(img/4.jpg"):
        prepare(CARD, folder, images=True)
    prepared = prepare(CARD, folder, Settings(on_missing="count"), images=True)
    assert "img/4.jpg" in prepared.faces.keys


def test_lists_alone_serve_embeddings(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path / "ijba", images=False)
    prepared = prepare(CARD, folder, images=False)
    assert (
        prepared.faces.source is None
        and prepared.faces.aligner is None
        and prepared.faces.contents is None
    )
    assert (prepared.faces.name, prepared.faces.kind, prepared.faces.label) == (
        "ijba",
        "real",
        "ijba-unseen",
    )
    assert outcome_of(prepared, embed_of(), Cosine(), QUICK).total == 16
    with pytest.raises(UserError, match="embeddings need the protocol's lists"):
        prepare(CARD, None, images=False)


def test_a_data_set_of_ones_own_in_either_layout(tmp_path: Path) -> None:
    card = CARD.model_copy(update={"dataset": "mine"})
    prepared = prepare(card, write_ijba(tmp_path / "a"), images=True)
    assert prepared.faces.label.startswith("mine-") and len(prepared.splits) == 2
    card = IJBC.model_copy(update={"dataset": "mine"})
    prepared = prepare(card, write_ijbc(tmp_path / "b", "mine"), images=True)
    assert len(prepared.splits[0]) == 3
    with pytest.raises(UserError, match="no data of mine are in"):
        prepare(card, None, images=True)


def test_options_without_effect_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"pairs='.*' has no effect"):
        prepare(CARD, folder, Settings(pairs="x.txt"), images=True)
    prepared = prepare(CARD, folder, images=True)
    with pytest.raises(UserError, match="frames='all' has no effect"):
        prepared.pooling(Settings(frames="all"))
    with pytest.raises(UserError, match="did you mean 'media-mean'"):
        prepared.pooling(Settings(pooling="media_mean"))
    with pytest.raises(UserError, match="'max-score' is for videos"):
        prepared.pooling(Settings(pooling="max-score"))
    with pytest.raises(UserError, match="needs the detector's score"):  # before the long work
        prepared.pooling(Settings(pooling="mean-score+detector"))
    with pytest.raises(UserError, match="needs the detector's score"):
        outcome_of(prepared, embed_of(), Cosine(), Settings(pooling="mean-score+detector", draws=0))


def test_faces_are_cut_by_their_boxes(folder: Path) -> None:
    prepared = prepare(CARD, folder, images=True)
    assert "face-box(" in prepared.faces.aligner.signature
    one, other = (key for key in prepared.faces.keys if "img/2" in key)
    crops = [
        prepared.faces.aligner(k, prepared.faces.source.read(k), (112, 96)) for k in (one, other)
    ]
    assert crops[0].shape == (112, 96, 3) and not np.array_equal(*crops)


def test_ijbc(tmp_path: Path) -> None:
    prepared = prepare(IJBC, write_ijbc(tmp_path / "IJBC"), images=True)
    assert prepared.faces.aligner.signature.startswith("landmarks-5pt(")
    outcome = outcome_of(prepared, embed_of(), Cosine(), Settings(draws=20))
    unit_rows = {key: unit(vector(key).astype(np.float64)) for key in prepared.faces.keys}
    means = {
        5: (unit_rows["1.jpg"] + unit_rows["2.jpg"]) / 2,
        9: unit_rows["3.jpg"],
        12: (unit_rows["4.jpg"] + unit_rows["5.jpg"]) / 2,
    }
    expected = [means[a] @ means[b] for a, b in ((5, 9), (5, 12), (9, 12))]
    np.testing.assert_allclose(outcome.decided.scores, expected, atol=1e-6)
    assert outcome.subjects is None
    assert outcome.rates[0].interval.kind == "dyadic over subjects"


def with_labels(folder: Path, rows: str) -> Path:
    (folder / "meta/ijbc_template_pair_label.txt").write_text(rows)
    return folder


def test_people_that_small_lists_do_not_name_are_told_by_mated_comparisons(tmp_path: Path) -> None:
    """Comparisons of one person are not independent, however few they are."""
    folder = write_ijbc(tmp_path / "IJBC")
    outcome = outcome_of(
        prepare(IJBC, folder, images=True), embed_of(), Cosine(), Settings(draws=20)
    )
    left, right = outcome.decided.left_subjects, outcome.decided.right_subjects
    assert np.array_equal(left == right, outcome.decided.mated)  # 5 and 9 are one, 12 another
    assert len(np.unique([left, right])) == 2


def test_labels_that_contradict_each_other_resample_comparisons(tmp_path: Path) -> None:
    folder = with_labels(write_ijbc(tmp_path / "IJBC"), "5 9 1\n9 12 1\n5 12 0\n")
    outcome = outcome_of(
        prepare(IJBC, folder, images=True), embed_of(), Cosine(), Settings(draws=20)
    )
    assert outcome.decided.left_subjects is None
    assert outcome.rates[0].interval.kind == "wilson over comparisons"


def test_ijbc_weighted_by_the_detector(tmp_path: Path) -> None:
    prepared = prepare(IJBC, write_ijbc(tmp_path / "IJBC"), images=True)
    choices = Settings(pooling="mean-score+detector", draws=0)
    found = outcome_of(prepared, embed_of(), Cosine(), choices).decided.scores[0]
    a, b, c = (unit(vector(f"{n}.jpg").astype(np.float64)) for n in (1, 2, 3))
    assert found == pytest.approx((0.91 * a + 0.92 * b) @ c / (0.91 + 0.92), abs=1e-6)


def with_scores(folder: Path, change) -> Path:
    path = folder / "meta/ijbc_name_5pts_score.txt"
    rows = [line.rpartition(" ") for line in path.read_text().splitlines()]
    path.write_text("".join(f"{row} {change(float(score))}\n" for row, _, score in rows))
    return folder


@pytest.mark.parametrize("images", [True, False])
def test_what_records_say_of_pooling_pins_the_detector_scores(tmp_path: Path, images: bool) -> None:
    folders = [write_ijbc(tmp_path / name) for name in "abc"]
    with_scores(folders[1], lambda score: f"{score:.6f}")  # the same numbers
    with_scores(folders[2], lambda score: 1 - score)
    runs = [prepare(IJBC, folder, images=images) for folder in folders]
    for pooling in ("mean-score", "mean-embedding", "media-mean"):
        choices = Settings(pooling=f"{pooling}+detector", draws=0)
        told = [run.pooling(choices) for run in runs]
        assert re.fullmatch(rf"{pooling}\+detector\([0-9a-f]{{8}}\)", told[0])
        assert told[0] == told[1] != told[2]
        scores = [outcome_of(run, embed_of(), Cosine(), choices).decided.scores for run in runs]
        assert np.array_equal(scores[0], scores[1]) and not np.allclose(scores[0], scores[2])
        plain = {run.pooling(Settings(pooling=pooling)) for run in runs}
        assert plain == {pooling}  # which does not depend on them
    assert {run.pooling(Settings(pooling="media-mean+norm")) for run in runs} == {"media-mean+norm"}


def test_scores_of_faces_that_the_protocol_does_not_use_are_not_pinned(tmp_path: Path) -> None:
    folder, choices = write_ijbc(tmp_path / "IJBC"), Settings(pooling="mean-score+detector")
    before = prepare(IJBC, folder, images=True).pooling(choices)
    path = folder / "meta/ijbc_name_5pts_score.txt"
    other = path.read_text().splitlines()[0].replace("1.jpg", "unused.jpg")
    path.write_text(f"{path.read_text()}{other}\n")
    assert prepare(IJBC, folder, images=True).pooling(choices) == before


def test_the_number_of_comparisons_tells_another_list(tmp_path: Path) -> None:
    folder = write_ijbc(tmp_path / "IJBC")
    for number, expected in ((3, None), (4, False)):
        card = IJBC.model_copy(update={"comparisons": number})
        assert prepare(card, folder, images=True).published_list is expected


def test_comparisons_of_one_split_only_do_not_reach_the_other(folder: Path) -> None:
    """Template 10 of split 2 is another set of faces than template 10 of split 1."""
    rows = [row if row[0] != 10 else (*row[:2], "img/6.jpg", *row[3:]) for row in ROWS[:1]]
    path = folder / "IJB-A_11_sets/split2/verify_metadata_2.csv"
    path.write_text(metadata([*rows, *ROWS[3:]]))
    prepared = prepare(CARD, folder, Settings(on_missing="count"), images=True)
    scores = outcome_of(prepared, embed_of(), Cosine(), QUICK).decided.scores.reshape(2, 8)
    involved = np.array([10 in pair for pair in COMPARISONS])
    np.testing.assert_allclose(scores[0, ~involved], scores[1, ~involved])
    expected = unit(vector("img/6.jpg")) @ unit(vector(key_of(ROWS[3])))
    assert scores[1, 0] == pytest.approx(expected, abs=1e-6)
    assert not np.isclose(scores[0, involved], scores[1, involved]).any()


@pytest.mark.parametrize(
    ("name", "comparisons"), [("ijba", None), ("ijbb", 8_010_270), ("ijbc", 15_658_489)]
)
def test_the_cards(name: str, comparisons: int | None) -> None:
    card = load_protocol(name)
    assert isinstance(card, TemplateCard) and card.pooling == "mean-score"
    assert card.comparisons == comparisons
    if name == "ijba":
        assert set(card.targets) == {0.1, 0.01, 0.001} and card.splits == 10
        assert "about ten impostor" in card.notes
        table = {(row.model.split()[0], row.rate): row.value for row in card.published}
        assert table[("sparse", "TAR@FAR=0.001")] == 0.460  # Table 9 of the seed paper
        assert table[("baseline", "TAR@FAR=0.01")] == 0.694
