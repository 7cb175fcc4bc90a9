"""YouTube Faces' kind of protocol, each of its traps by name."""

from __future__ import annotations

import dataclasses
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.faces.ytf.lists import read_splits
from facebench.protocols.cards import VideoCard, load_protocol
from facebench.protocols.kinds.video import PreparedVideo, comparisons_of_videos, prepare
from facebench.protocols.settings import Settings
from tests.helpers.pooling_toys import Biased, PlainCosine, all_scores, unit
from tests.helpers.search_toys import Embed, outcome_of
from tests.helpers.ytf_folders import ROWS, VIDEOS, write_ytf


def card() -> VideoCard:
    found = load_protocol("ytf")
    assert isinstance(found, VideoCard)
    return found


class Network:
    """Embeddings in parts of four keys; a face's depends on its person, video and file."""

    def __init__(self, gone: frozenset[str] = frozenset()) -> None:
        self.gone = gone
        self.asked: list[str] = []

    def vector(self, key: str) -> np.ndarray:
        person, video, file = key.split("/")
        seeds = (sum(part.encode()) for part in (person, person + video, file + video))
        parts = [np.random.default_rng(seed).standard_normal(8) for seed in seeds]
        return (parts[0] + 0.5 * parts[1] + 0.7 * parts[2]).astype(np.float32) * 3

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        return np.stack([self.vector(key) * (key not in self.gone) for key in keys])

    def embed(self) -> Embed:
        def stream(keys: Sequence[str]) -> Iterator[Embeddings]:
            self.asked = list(keys)
            for start in range(0, len(keys), 4):
                part = tuple(keys[start : start + 4])
                acquired = np.array([key not in self.gone for key in part])
                yield Embeddings(part, self.vectors(part), acquired)

        return stream


def ready(folder: Path, **files: str) -> PreparedVideo:
    return prepare(card(), folder, Settings(**files), images=True)  # type: ignore[arg-type]


def run(prepared: PreparedVideo, network: Network, similarity=None, **choices) -> np.ndarray:
    chosen = Settings(draws=0, **choices)
    outcome = outcome_of(prepared, network.embed(), similarity or PlainCosine(), chosen)
    assert outcome.statistics.n_comparisons == len(ROWS)
    return outcome.scores


def by_hand(prepared: PreparedVideo, network: Network, similarity, reduce) -> list[float]:
    scores = []
    for row in ROWS:
        left, right = (network.vectors(prepared.frames[v]) for v in row.split(", ")[2:4])
        scores.append(float(reduce(all_scores(similarity, left, right))))
    return scores


@pytest.mark.parametrize("similarity", [PlainCosine(), Biased(8)])
def test_mean_score_is_the_mean_over_all_pairs_of_frames(tmp_path: Path, similarity) -> None:
    prepared, network = ready(write_ytf(tmp_path)), Network()
    expected = by_hand(prepared, network, similarity, np.mean)
    np.testing.assert_allclose(run(prepared, network, similarity), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("pooling", "reduce"), [("max-score", np.max), ("median-score", np.median)]
)
def test_the_largest_and_the_median_score(tmp_path: Path, pooling: str, reduce) -> None:
    prepared, network = ready(write_ytf(tmp_path)), Network()
    for similarity in (PlainCosine(), Biased(8)):
        expected = by_hand(prepared, network, similarity, reduce)
        found = run(prepared, network, similarity, pooling=pooling)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_averaging_frame_embeddings_first_is_another_protocol_and_named(tmp_path: Path) -> None:
    prepared, network = ready(write_ytf(tmp_path)), Network()
    averaged = run(prepared, network, pooling="mean-embedding")
    means = {v: unit(unit(network.vectors(prepared.frames[v])).mean(0)) for v in VIDEOS}
    expected = [means[r.split(", ")[2]] @ means[r.split(", ")[3]] for r in ROWS]
    np.testing.assert_allclose(averaged, expected, rtol=1e-5)
    assert np.abs(averaged - run(prepared, network)).min() > 1e-3
    assert prepared.pooling(Settings()) == "mean-score, all frames"
    chosen = Settings(pooling="mean-embedding", frames="every-2")
    assert prepared.pooling(chosen) == "mean-embedding, every-2 frames"


def test_fewer_frames_are_only_taken_where_a_rule_says_so(tmp_path: Path) -> None:
    """Frames dropped silently, or in the order 10, 100, 9."""
    prepared, network = ready(write_ytf(tmp_path)), Network()
    run(prepared, network)
    assert len(network.asked) == len(prepared.faces.keys) == 18
    run(prepared, network, frames="first-1")
    assert [key.rsplit(".", 2)[1] for key in network.asked] == ["9"] * 6
    run(prepared, network, frames="every-2")
    assert {key.rsplit(".", 2)[1] for key in network.asked} == {"9", "100"}


def test_a_frame_that_is_not_acquired_leaves_the_others(tmp_path: Path) -> None:
    prepared = ready(write_ytf(tmp_path))
    lost = prepared.frames["Al_Gore/0"][0]
    whole, less = Network(), Network(frozenset([lost]))
    changed = run(prepared, less) != run(prepared, whole)
    assert changed.tolist() == [True, True, False, False]
    assert np.isfinite(run(prepared, less, pooling="max-score")).all()
    rest = whole.vectors(prepared.frames["Al_Gore/0"][1:])
    other = whole.vectors(prepared.frames["Al_Gore/1"])
    expected = all_scores(PlainCosine(), rest, other).mean()
    assert run(prepared, less)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pooling", ["mean-score", "mean-embedding", "max-score", "media-mean"])
def test_a_video_without_a_face_stays_as_a_failure_to_acquire(tmp_path: Path, pooling: str) -> None:
    prepared = ready(write_ytf(tmp_path))
    network = Network(frozenset(prepared.frames["Di_Cook/0"]))
    chosen = Settings(draws=0, pooling=pooling)
    outcome = outcome_of(prepared, network.embed(), PlainCosine(), chosen)
    assert np.isneginf(outcome.scores).tolist() == [False, False, False, True]
    assert (outcome.statistics.n_comparisons, outcome.statistics.failures_to_acquire) == (4, 1)


def test_nobody_acquired_is_told_in_one_line(tmp_path: Path) -> None:
    prepared = ready(write_ytf(tmp_path))
    network = Network(frozenset(prepared.faces.keys))
    for pooling in ("mean-score", "max-score"):
        with pytest.raises(UserError, match="no comparison outside fold 1 is acquired"):
            run(prepared, network, pooling=pooling)


def test_absent_and_empty_videos_are_told_or_counted(tmp_path: Path) -> None:
    root = write_ytf(tmp_path) / "aligned_images_DB"
    for video in ("Bo_Derek/3", "Di_Cook/0"):
        for file in (root / video).iterdir():
            file.unlink()
    (root / "Di_Cook/0").rmdir()
    with pytest.raises(UserError, match=r"2 \(Bo_Derek/3, Di_Cook/0\) of 6 videos .* absent"):
        ready(tmp_path)
    prepared = ready(tmp_path, on_missing="count")
    assert prepared.frames["Di_Cook/0"] == ()
    scores = run(prepared, Network())
    assert np.isneginf(scores).tolist() == [False, True, False, True]


def test_comparisons_are_of_videos_and_their_subjects_the_people(tmp_path: Path) -> None:
    comparisons = ready(write_ytf(tmp_path)).comparisons
    assert comparisons.keys == VIDEOS
    assert comparisons.subjects is not None
    assert comparisons.subjects.tolist() == [0, 0, 1, 2, 2, 3]
    assert comparisons.mated.tolist() == [True, False, True, False]
    assert comparisons.folds.tolist() == [1, 1, 2, 2]


def test_the_card_names_the_official_list(shared_data: Path, tmp_path: Path) -> None:
    pairs = read_splits(shared_data / "protocols" / "ytf_splits.txt")
    official, the_card = comparisons_of_videos(pairs), card()
    assert (len(official), official.fingerprint) == (the_card.comparisons, the_card.pairs)
    assert len(set(official.folds.tolist())) == the_card.folds
    assert ready(write_ytf(tmp_path)).published_list is False


def test_wrong_choices_are_refused(tmp_path: Path) -> None:
    prepared = ready(write_ytf(tmp_path))
    with pytest.raises(UserError, match="needs detector scores"):
        prepared.pooling(Settings(pooling="mean-score+detector"))


def test_embeddings_need_the_folder_that_tells_the_frames(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name it with data="):
        prepare(card(), None, images=False)
    prepared = prepare(card(), write_ytf(tmp_path), images=False)
    assert prepared.faces.aligner is None
    assert len(prepared.faces.keys) == 18


def test_all_frames_are_kept_on_disk_and_gone_afterwards(tmp_path: Path) -> None:
    prepared = ready(write_ytf(tmp_path))
    run(prepared, Network(), pooling="max-score")
    assert list(Path(os.environ["FACEBENCH_CACHE"]).iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_frames(tmp_path: Path) -> None:
    """Six videos of 3,000 frames: 37 MB of embeddings, of which a part of 1 MB is there at once."""
    files = {v: tuple(f"{v}/{n:05d}.jpg" for n in range(3000)) for v in VIDEOS}
    prepared = dataclasses.replace(ready(write_ytf(tmp_path)), frames=files)
    rng = np.random.default_rng(0)

    def stream(keys: Sequence[str]) -> Iterator[Embeddings]:
        for start in range(0, len(keys), 512):
            part = tuple(keys[start : start + 512])
            vectors = rng.standard_normal((len(part), 512), dtype=np.float32)
            yield Embeddings(part, vectors, np.ones(len(part), dtype=np.bool_))

    tracemalloc.start()
    outcome_of(prepared, stream, PlainCosine(), Settings(draws=0))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
