from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.similarity.base import Similarity, projected_pairs, score_block
from facebench.similarity.cosine import Cosine
from facebench.similarity.joint_bayesian.estimator import JointBayesian
from facebench.similarity.joint_bayesian.model import NORMALISATIONS
from facebench.similarity.learned import JointBayesianSimilarity
from facebench.similarity.pooling import MEAN_POOLINGS, POOLINGS, MeanPooler, Pooled, check_pooling
from facebench.statistics.roc import auc
from tests.helpers.pooling_toys import Biased, PlainCosine, all_scores, unit

ZERO = np.zeros(1, dtype=np.int64)


def video(rng: np.random.Generator, frames: int, dimension: int) -> np.ndarray:
    """Frames around a common face, of different lengths, as a network gives them."""
    centre = rng.standard_normal(dimension)
    frame = centre + 0.8 * rng.standard_normal((frames, dimension))
    return (frame * rng.uniform(0.5, 20, (frames, 1))).astype(np.float32)


def pooled(pooling: str, similarity: Similarity, *videos: np.ndarray) -> Pooled:
    pooler = MeanPooler(pooling, similarity, len(videos))
    for number, frames in enumerate(videos):
        pooler.add(np.full(len(frames), number), frames)
    return pooler.finish()


def lengths(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors.astype(np.float64), axis=1)


def at_length(mean: np.ndarray, length: float) -> np.ndarray:
    return unit(mean) * length


def score(pooling: str, similarity: Similarity, a: np.ndarray, b: np.ndarray) -> float:
    both = pooled(pooling, similarity, a, b).projection
    return float(projected_pairs(both, ZERO, ZERO + 1)[0])


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 300), m=st.integers(1, 300), dimension=st.integers(1, 24), seed=st.integers(0)
)
def test_mean_score_is_the_mean_over_the_double_loop(
    n: int, m: int, dimension: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = video(rng, n, dimension), video(rng, m, dimension)
    for similarity in (PlainCosine(), Biased(dimension)):
        every = all_scores(similarity, a, b)
        # Of scores that cancel to nearly nothing, an error relative to what was summed.
        scale = max(abs(every.mean()), 0.01 * np.abs(every).max())
        assert abs(score("mean-score", similarity, a, b) - every.mean()) < 1e-5 * scale


def test_a_block_of_the_score_matrix_is_the_double_loop_too() -> None:
    rng = np.random.default_rng(3)
    videos = [video(rng, frames, 16) for frames in (1, 7, 300)]
    for similarity in (PlainCosine(), Biased(16)):
        rows = pooled("mean-score", similarity, *videos).projection
        block = score_block(rows, rows)
        assert block.dtype == np.float32
        for i in range(3):
            for j in range(3):
                expected = all_scores(similarity, videos[i], videos[j]).mean()
                assert block[i, j] == pytest.approx(expected, rel=1e-5)


def test_mean_score_by_hand() -> None:
    a = np.array([[3, 0], [0, 2]], dtype=np.float32)  # at right angles, at unit length e1 and e2
    b = np.array([[5, 0]], dtype=np.float32)
    assert score("mean-score", PlainCosine(), a, b) == pytest.approx(0.5)
    assert score("mean-embedding", PlainCosine(), a, b) == pytest.approx(np.sqrt(0.5))


def test_averaging_frame_embeddings_first_is_another_protocol() -> None:
    rng = np.random.default_rng(0)
    a, b = video(rng, 9, 8), video(rng, 4, 8)
    for similarity in (PlainCosine(), Biased(8)):
        averaged = score("mean-embedding", similarity, a, b)
        means = np.stack([at_length(unit(v).mean(0), lengths(v).mean()) for v in (a, b)])
        assert averaged == pytest.approx(all_scores(similarity, means[:1], means[1:])[0, 0], 1e-5)
        assert abs(averaged - score("mean-score", similarity, a, b)) > 0.01


@pytest.mark.parametrize("mean", ["mean-score", "mean-embedding"])
def test_weights(mean: str) -> None:
    rng = np.random.default_rng(1)
    frames, similarity = video(rng, 5, 6), Biased(6)
    norms = np.linalg.norm(frames, axis=1)
    given = rng.uniform(0, 1, 5)
    for name, weights in ((f"{mean}+norm", norms), (f"{mean}+detector", given)):
        pooler = MeanPooler(name, similarity, 1)
        pooler.add(np.zeros(5, np.int64), frames, detector=given)
        found = pooler.finish(np.float64).projection
        share = weights / weights.sum()
        if mean == "mean-score":
            rows = similarity.project(frames, np.float64)
            expected, bias = share @ rows.rows, share @ rows.bias
        else:
            whole = at_length(share @ unit(frames), share @ norms)
            centre = similarity.project(whole[None], np.float64)
            expected, bias = centre.rows[0], centre.bias[0]
        np.testing.assert_allclose(found.rows[0], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.bias[0], bias, rtol=1e-5)


def media_by_hand(frames: np.ndarray, media: list[int], weights: np.ndarray) -> np.ndarray:
    means = []
    for medium in sorted(set(media)):
        own = [k for k, number in enumerate(media) if number == medium]
        means.append(np.mean([weights[k] * unit(frames)[k] for k in own], axis=0))
    return unit(np.mean(means, axis=0))


@pytest.mark.parametrize("weight", ["", "+norm", "+detector"])
def test_media_mean(weight: str) -> None:
    """A video of five frames counts as much as a still; template 1 shares no medium."""
    rng = np.random.default_rng(5)
    frames = video(rng, 9, 7)
    media = [0, 0, 0, 0, 0, 1, 2, 2, 3]
    given = rng.uniform(0.1, 1, 9)
    weights = {"": np.ones(9), "+norm": np.linalg.norm(frames, axis=1), "+detector": given}[weight]
    pooler = MeanPooler(f"media-mean{weight}", PlainCosine(), 3, np.array([0, 0, 1, 1]))
    order = rng.permutation(9)
    for part in (order[:4], order[4:]):
        own = np.array(media)[part]
        pooler.add((own > 1).astype(np.int64), frames[part], own, given[part])
    found = pooler.finish()
    assert found.acquired.tolist() == [True, True, False]
    assert found.faces.tolist() == [6, 3, 0]
    expected = media_by_hand(frames[:6], media[:6], weights[:6])
    np.testing.assert_allclose(found.projection.rows[0], expected, rtol=1e-5, atol=1e-6)
    expected = media_by_hand(frames[6:], media[6:], weights[6:])
    np.testing.assert_allclose(found.projection.rows[1], expected, rtol=1e-5, atol=1e-6)
    assert not found.projection.rows[2].any()
    plain = MeanPooler("mean-embedding", PlainCosine(), 1)
    plain.add(np.zeros(6, np.int64), frames[:6])
    assert np.abs(plain.finish().projection.rows[0] - found.projection.rows[0]).max() > 0.01


def people(people: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of many lengths, some twenty times unit length, and whose they are."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    faces = 20 * rng.standard_normal((people, 6))[who] + 8 * rng.standard_normal((len(who), 6)) + 3
    return faces.astype(np.float32), who


def metric(normalise: str, components: int | None = None) -> JointBayesianSimilarity:
    estimator = JointBayesian(n_components=components, normalise=normalise, shrinkage=1)
    return JointBayesianSimilarity.of(estimator.fit(*people(30, 4, seed=1)).model_)


def by_definition(
    pooling: str, similarity: Similarity, v: np.ndarray, media: np.ndarray, detector: np.ndarray
) -> tuple[np.ndarray, float]:
    """Row and bias of one template, face by face."""
    mean, _, weight = pooling.partition("+")
    weights = {"": np.ones(len(v)), "norm": lengths(v), "detector": detector}[weight]
    if mean == "mean-score":
        faces = similarity.project(v, np.float64)
        return weights @ faces.rows / weights.sum(), weights @ faces.bias / weights.sum()
    if mean == "media-mean":  # every medium counts once, so a face its share of it
        weights = weights / np.array([np.sum(media == own) for own in media])
    total = sum(w * unit(face) for w, face in zip(weights, v, strict=True))
    length = sum(w * n for w, n in zip(weights, lengths(v), strict=True)) / weights.sum()
    whole = similarity.project(at_length(total, length)[None], np.float64)
    return whole.rows[0], whole.bias[0]


@pytest.mark.parametrize("normalise", [*NORMALISATIONS, "cosine"])
@pytest.mark.parametrize("pooling", MEAN_POOLINGS)
def test_every_mean_under_every_metric_equals_its_definition(pooling: str, normalise: str) -> None:
    similarity = Cosine() if normalise == "cosine" else metric(normalise, 4)
    rng = np.random.default_rng(7)
    faces, who = people(5, 8, seed=2)
    faces[3] = 0  # of a dead network
    detector, local = rng.uniform(0.1, 1, len(faces)), rng.integers(0, 3, len(faces))
    media = who * 3 + local
    by_media = pooling.startswith("media-mean")
    owner = np.repeat(np.arange(6), 3) if by_media else None
    pooler = MeanPooler(pooling, similarity, 6, owner)  # the last template has no face
    for part in np.array_split(rng.permutation(len(faces)), 3):
        of = media[part] if by_media else None
        pooler.add(who[part], faces[part], of, detector[part])
    found = pooler.finish(np.float64).projection
    for number in range(5):
        own = who == number
        expected, bias = by_definition(pooling, similarity, faces[own], media[own], detector[own])
        np.testing.assert_allclose(found.rows[number], expected, rtol=1e-4, atol=1e-5)
        assert found.bias[number] == pytest.approx(bias, rel=1e-4, abs=1e-5)
    assert not found.rows[5].any() and not found.bias[5]


@pytest.mark.parametrize("weight", ["", "+norm", "+detector"])
@pytest.mark.parametrize("normalise", ["none", "centred"])
def test_trap_a_metric_of_raw_lengths_gets_means_of_raw_lengths(
    normalise: str, weight: str
) -> None:
    """At unit length the faces of such a metric are all near its mean: it told few apart."""
    faces, _ = people(80, 10, seed=3)
    template = np.arange(len(faces)) // 5  # two of each person
    left, right = np.triu_indices(160, 1)
    mated = left // 2 == right // 2
    rng, similarity = np.random.default_rng(0), metric(normalise)
    found = {}
    for mean in ("mean-score", "mean-embedding", "media-mean"):
        one_each = mean == "media-mean"  # one medium, or the shares of media would differ
        pooler = MeanPooler(
            f"{mean}{weight}", similarity, 160, np.arange(160) if one_each else None
        )
        detector = rng.uniform(0.5, 1, len(faces))
        pooler.add(template, faces, template if one_each else None, detector)
        rows = pooler.finish(np.float64).projection
        found[mean] = auc(projected_pairs(rows, left, right), mated)
    assert found["mean-score"] > 0.98
    assert found["mean-embedding"] > found["mean-score"] - 0.01
    assert found["media-mean"] > found["mean-score"] - 0.01


@pytest.mark.parametrize("pooling", ["mean-score", "mean-embedding", "mean-score+norm"])
def test_parts_and_their_order_change_nothing(
    pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(2)
    frames, groups = video(rng, 200, 5), rng.integers(0, 7, 200)
    whole = MeanPooler(pooling, Biased(5), 7)
    whole.add(groups, frames)
    expected = whole.finish(np.float64).projection
    monkeypatch.setattr("facebench.similarity.pooling._BLOCK", 16)
    pieces = MeanPooler(pooling, Biased(5), 7)
    for part in np.array_split(rng.permutation(200), 9):
        pieces.add(groups[part], frames[part])
    found = pieces.finish(np.float64).projection
    # Sixteen rows are added in float32, and then in float64.
    rtol = 16 * np.finfo(np.float32).eps
    np.testing.assert_allclose(found.rows, expected.rows, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=rtol)


def test_templates_without_a_face_stay_and_are_not_acquired() -> None:
    for pooling in ("mean-score", "mean-embedding"):
        pooler = MeanPooler(pooling, Biased(3), 3)
        pooler.add(np.array([1]), np.ones((1, 3), np.float32))
        found = pooler.finish()
        assert found.acquired.tolist() == [False, True, False]
        assert not found.projection.rows[[0, 2]].any()
        assert not found.projection.bias[[0, 2]].any()
    nothing = MeanPooler("mean-score", Biased(3), 2).finish()
    assert len(nothing.projection) == 2
    assert not nothing.acquired.any()


def test_a_dead_network_is_acquired_and_alike_to_nobody() -> None:
    dead, alive = np.zeros((3, 4), np.float32), np.ones((2, 4), np.float32)
    for pooling in ("mean-score", "mean-embedding", "mean-score+norm", "mean-embedding+norm"):
        assert score(pooling, PlainCosine(), dead, alive) == 0
        assert pooled(pooling, PlainCosine(), dead, alive).acquired.all()


def test_weights_of_zero_everywhere_are_equal_weights() -> None:
    frames = video(np.random.default_rng(4), 6, 5)
    pooler = MeanPooler("mean-score+detector", PlainCosine(), 1)
    pooler.add(np.zeros(6, np.int64), frames, detector=np.zeros(6))
    plain = pooled("mean-score", PlainCosine(), frames)
    np.testing.assert_allclose(pooler.finish().projection.rows, plain.projection.rows, rtol=1e-6)


def test_a_face_of_several_templates() -> None:
    frames = video(np.random.default_rng(6), 3, 4)
    pooler = MeanPooler("mean-score", PlainCosine(), 2)
    pooler.add(np.array([0, 0, 1, 1]), frames[[0, 1, 1, 2]])
    rows = pooler.finish(np.float64).projection.rows
    np.testing.assert_allclose(rows[1], unit(frames[1:]).mean(0), rtol=1e-6)


def test_names() -> None:
    assert len(set(POOLINGS)) == 11
    for name in POOLINGS:
        check_pooling(name)
    with pytest.raises(UserError, match="did you mean 'mean-score'"):
        check_pooling("mean-scores")
    with pytest.raises(UserError, match="needs all frames"):
        MeanPooler("max-score", PlainCosine(), 1)


def test_what_does_not_fit_is_refused() -> None:
    one = np.ones((1, 3), np.float32)
    pooler = MeanPooler("mean-score+detector", PlainCosine(), 1)
    with pytest.raises(UserError, match="needs the detector's score"):
        pooler.add(ZERO, one)
    with pytest.raises(UserError, match="at least 0"):
        pooler.add(ZERO, one, detector=np.array([-0.1]))
    with pytest.raises(ValueError, match="from 0 to 0"):  # a template that is not there: not row 0
        pooler.add(ZERO + 1, one)
    with pytest.raises(ValueError, match="from 0 to 0"):
        pooler.add(ZERO - 1, one)
    with pytest.raises(ValueError, match="goes with media-mean"):
        MeanPooler("media-mean", PlainCosine(), 1)
    media = MeanPooler("media-mean", PlainCosine(), 2, np.array([0, 1]))
    with pytest.raises(ValueError, match="another template"):
        media.add(ZERO, one, ZERO + 1)
    with pytest.raises(ValueError, match="the medium of every face"):
        media.add(ZERO, one)
    plain = MeanPooler("mean-score", PlainCosine(), 1)
    plain.add(ZERO, one)
    with pytest.raises(ValueError, match="after 3 numbers"):
        plain.add(ZERO, np.ones((1, 4), np.float32))
