"""The cosine of a learned linear map: by hand, its file, and what the similarity must offer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.similarity.base import projected_pairs, score_block
from facebench.similarity.cosine import Cosine, cosine_pairs
from facebench.similarity.joint_bayesian.estimator import JointBayesian
from facebench.similarity.learned import ProjectionSimilarity, load_metric, similarity_for
from facebench.similarity.metric_file import MetricFacts, metric_bytes, read_metric, write_metric
from facebench.similarity.pooling import MEAN_POOLINGS, MeanPooler
from facebench.similarity.projection import ProjectionModel

FACTS = MetricFacts(fitted_on="with the network", weights_hash="ab" * 32, preprocessing="flip=add")
SAME = {"weights_hash": FACTS.weights_hash, "preprocessing": FACTS.preprocessing}


def toy(outputs: int = 4, dimension: int = 6, seed: int = 0) -> ProjectionModel:
    rng = np.random.default_rng(seed)
    return ProjectionModel(rng.standard_normal((outputs, dimension)), rng.standard_normal(outputs))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "p.safetensors"
    write_metric(path, toy(), FACTS)
    return path


def test_by_hand() -> None:
    model = ProjectionModel(np.array([[1.0, 0, 1], [0, 2, 0]]), np.array([1.0, -2]))
    similarity = ProjectionSimilarity.of(model)
    assert model.dimension == 3 and similarity.values == 8
    x = np.array([[1, 1, 1], [0, 3, 2], [-1, 1, 0], [0, 0, 0]], dtype=np.float32)
    # Mapped: (3, 0), (3, 4), (0, 0), and the dead one.
    rows = similarity.project(x, np.float64).rows
    np.testing.assert_allclose(rows, [[1, 0], [0.6, 0.8], [0, 0], [0, 0]], atol=1e-15)
    left, right = np.array([0, 0, 0, 1, 3]), np.array([0, 1, 2, 3, 3])
    np.testing.assert_allclose(similarity.pairs(x, left, right), [1, 0.6, 0, 0, 0], atol=1e-15)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    dimension=st.integers(1, 12),
    outputs=st.integers(1, 12),
    seed=st.integers(0, 10**6),
    biased=st.booleans(),
)
def test_it_is_the_cosine_of_the_mapped_faces(
    n: int, dimension: int, outputs: int, seed: int, biased: bool
) -> None:
    rng = np.random.default_rng(seed)
    model = toy(outputs, dimension, seed)
    similarity = ProjectionSimilarity.of(
        ProjectionModel(model.weight, model.bias if biased else np.zeros(outputs))
    )
    x = (rng.standard_normal((n, dimension)) * 10.0 ** rng.uniform(-2, 2, (n, 1))).astype("f4")
    learned = similarity.model
    mapped = np.stack([learned.weight @ face.astype(np.float64) + learned.bias for face in x])
    left, right = rng.integers(0, n, 50), rng.integers(0, n, 50)
    found = similarity.pairs(x, left, right)
    # Not of float32 vectors only: the very same cosine, in float64.
    np.testing.assert_allclose(found, cosine_pairs(mapped, left, right), atol=1e-12)
    assert found.min() >= -1 and found.max() <= 1
    np.testing.assert_array_equal(similarity.pairs(x, right, left), found)
    projected = similarity.project(x)
    assert projected.rows.dtype == np.float32 and not projected.bias.any()
    np.testing.assert_allclose(score_block(projected, projected)[left, right], found, atol=1e-6)
    rows = projected_pairs(similarity.project(x, np.float64), left, right, -1, 1)
    np.testing.assert_array_equal(rows, found)


def test_the_identity_is_plain_cosine() -> None:
    x = np.random.default_rng(0).standard_normal((30, 5)).astype(np.float32)
    left, right = np.triu_indices(30, 1)
    identity = ProjectionSimilarity.of(ProjectionModel(np.eye(5), np.zeros(5)))
    np.testing.assert_allclose(
        identity.pairs(x, left, right), Cosine().pairs(x, left, right), atol=1e-14
    )


@pytest.mark.any_order
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((100, 6)).astype(np.float32)
    whole = toy().project(x).rows
    monkeypatch.setattr("facebench.similarity.joint_bayesian.model._BLOCK_VALUES", 60)
    few = toy().project(x).rows
    rounding = x.shape[1] * np.finfo(np.float64).eps * np.abs(whole).max()
    np.testing.assert_allclose(few, whole, rtol=0, atol=rounding)


@pytest.mark.parametrize("pooling", MEAN_POOLINGS)
def test_means_of_templates(pooling: str) -> None:
    """Means of embeddings keep the faces' length, without which a bias would weigh anew."""
    rng = np.random.default_rng(3)
    faces = (5 + rng.standard_normal((7, 6))).astype(np.float32)
    weights = np.ones(7)
    similarity = ProjectionSimilarity.of(toy())
    mean, _, weight = pooling.partition("+")
    norms = np.linalg.norm(faces.astype(np.float64), axis=1)
    if weight:
        weights = norms
    media = np.zeros(7, np.int64) if mean == "media-mean" else None
    pooler = MeanPooler(pooling, similarity, 1, None if media is None else np.zeros(1, np.int64))
    pooler.add(np.zeros(7, np.int64), faces, media, norms)
    found = pooler.finish(np.float64).projection
    if mean == "mean-score":
        expected = weights @ similarity.project(faces, np.float64).rows / weights.sum()
    else:
        direction = weights @ (faces / norms[:, None])
        length = weights @ norms / weights.sum()
        whole = direction / np.linalg.norm(direction) * length
        expected = similarity.project(whole[None], np.float64).rows[0]
    np.testing.assert_allclose(found.rows[0], expected, atol=1e-6)
    assert not found.bias.any()


def test_a_file_gives_the_same_scores_and_bytes(file: Path, tmp_path: Path) -> None:
    found = load_metric(file)
    assert isinstance(found, ProjectionSimilarity) and found.facts == FACTS
    assert found.signature == f"projection({sha256_file(file)[:12]})"
    assert (found.dimension, found.values, found.low, found.high) == (6, 28, -1, 1)
    again = tmp_path / "again"
    write_metric(again, found.model, found.facts)
    assert again.read_bytes() == file.read_bytes()
    of = ProjectionSimilarity.of(toy(), FACTS)
    assert of.signature == found.signature
    x = np.random.default_rng(1).standard_normal((5, 6)).astype(np.float32)
    np.testing.assert_array_equal(of.project(x, np.float64).rows, found.project(x, np.float64).rows)
    assert {t.dtype for t in safetensors.numpy.load(file.read_bytes()).values()} == {
        np.dtype(np.float32)
    }


def test_the_name_needs_a_projection_of_this_network(file: Path, tmp_path: Path) -> None:
    for named in ({"metric": file}, {"card_metric": file, "card_sha256": sha256_file(file)}):
        found = similarity_for("projection", **named, **SAME)
        assert isinstance(found, ProjectionSimilarity)
        with pytest.raises(UserError, match="of kind projection; add similarity='projection'"):
            similarity_for("joint-bayesian", **named, **SAME)
    with pytest.raises(UserError, match=r"abab.*cdcd.*facebench metric projection"):
        similarity_for("projection", metric=file, **SAME | {"weights_hash": "cd" * 32})
    with pytest.raises(UserError, match=r"flip=add.*flip=none"):  # another bias
        similarity_for("projection", metric=file, **SAME | {"preprocessing": "flip=none"})
    with pytest.raises(UserError, match=r"6 numbers, these have 7.*facebench metric projection"):
        load_metric(file).project(np.ones((2, 7), np.float32))
    with pytest.raises(ValueError, match="takes embeddings of 6 numbers"):
        toy().project(np.ones(6))
    with pytest.raises(UserError, match="not a Joint Bayesian"):
        JointBayesian.load(file)
    joint = tmp_path / "j.safetensors"
    x, y = np.random.default_rng(0).standard_normal((20, 6)), np.arange(20) // 4
    JointBayesian().fit(x, y).save(joint)
    with pytest.raises(UserError, match="add similarity='joint-bayesian'"):
        similarity_for("projection", metric=joint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": None}, "lacks the tensor 'bias'"),
        ({"weight": np.ones((2, 3))}, "finite float32"),
        ({"weight": np.full((2, 3), np.inf, np.float32)}, "finite float32"),
        ({"weight": np.ones((3, 3), np.float32)}, "do not fit together"),
        ({"weight": np.ones((2, 0), np.float32)}, "do not fit together"),
        ({"weight": np.ones(2, np.float32)}, "2 axes"),
        ({"mean": np.ones(3, np.float32)}, "projection has no tensor 'mean'"),
    ],
)
def test_wrong_tensors_are_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "p.safetensors"
    header = '{"format": "facebench-metric", "version": 2, "kind": "projection"}'
    good = {"weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float32)}
    for tensors in (good, good | change):
        kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        path.write_bytes(safetensors.numpy.save(kept, metadata={"facebench": header}))
        if tensors is good:
            assert read_metric(path).model.dimension == 3
    with pytest.raises(UserError, match=message) as caught:
        load_metric(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_values_beyond_float32_are_not_written() -> None:
    with pytest.raises(UserError, match=r"'weight'.*float32"):
        metric_bytes(ProjectionModel(np.full((2, 3), 1e39), np.zeros(2)), FACTS)
