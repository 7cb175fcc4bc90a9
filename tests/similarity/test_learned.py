"""Metric files, and the similarity that a name stands for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.similarity.base import score_block
from facebench.similarity.cosine import Cosine
from facebench.similarity.joint_bayesian.model import JointBayesianModel, Preparation
from facebench.similarity.learned import JointBayesianSimilarity, load_metric, similarity_for
from facebench.similarity.metric_file import (
    MetricFacts,
    as_stored,
    metric_bytes,
    read_metric,
    write_metric,
)

FACTS = MetricFacts(
    fitted_on="toys",
    identities=3,
    images=9,
    model="small",
    weights_hash="ab" * 32,
    preprocessing="rgb 112x96 mean=127.5 scale=128 flip=add",
)
SAME = {"weights_hash": FACTS.weights_hash, "preprocessing": FACTS.preprocessing}


def toy(components: bool = True) -> JointBayesianModel:
    rng = np.random.default_rng(0)
    d, k = 6, 4 if components else 6
    orthonormal = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return JointBayesianModel(
        Preparation("unit", rng.standard_normal(d), orthonormal[:k] if components else None),
        rng.standard_normal((k, k)),
        rng.uniform(0, 4, k),
    )


def tensors_of(path: Path) -> dict[str, np.ndarray]:
    return safetensors.numpy.load(path.read_bytes())


def as_version_1(model: JointBayesianModel) -> bytes:
    """As facebench wrote metrics before there were two kinds: float64, without a kind."""
    prepared = model.preparation
    tensors = {"mean": prepared.mean, "basis": model.basis, "ratios": model.ratios}
    if prepared.components is not None:
        tensors["components"] = np.ascontiguousarray(prepared.components)
    header = FACTS.model_dump() | {
        "format": "facebench-metric",
        "version": 1,
        "normalise": prepared.normalise,
    }
    return safetensors.numpy.save(tensors, metadata={"facebench": json.dumps(header)})


@pytest.mark.parametrize("components", [True, False])
def test_files_of_version_1_keep_their_float64(tmp_path: Path, components: bool) -> None:
    path, model = tmp_path / "old.safetensors", toy(components)
    path.write_bytes(as_version_1(model))
    found = load_metric(path)
    assert found.facts == FACTS and found.name == "joint-bayesian"
    x = np.random.default_rng(1).standard_normal((5, 6))
    expected, projected = model.project(x), found.project(x, np.float64)
    np.testing.assert_array_equal(projected.rows, expected.rows)
    np.testing.assert_array_equal(projected.bias, expected.bias)
    # Written again it is of the new version, and the same as the model itself.
    assert metric_bytes(found.model, found.facts) == metric_bytes(model, FACTS)


def test_tensors_are_float32_and_half_as_large(file: Path) -> None:
    assert {tensor.dtype for tensor in tensors_of(file).values()} == {np.dtype(np.float32)}
    assert tensors_of(file)["components"].shape == (4, 6)
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    assert file.stat().st_size == header + 4 * (6 + 4 * 6 + 4 * 4 + 4)


def test_what_float32_cannot_hold_is_not_written(tmp_path: Path) -> None:
    model = toy()
    for bad in (1e39, np.nan):
        model.ratios[0] = bad
        with pytest.raises(UserError, match=r"'ratios'.*float32"):
            write_metric(tmp_path / "m", model, FACTS)
    assert not (tmp_path / "m").exists()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    write_metric(path, toy(), FACTS)
    return path


@pytest.mark.parametrize("components", [True, False])
def test_a_file_gives_the_same_scores_and_bytes(tmp_path: Path, components: bool) -> None:
    path, model = tmp_path / "m.safetensors", toy(components)
    sha256 = write_metric(path, model, FACTS)
    assert sha256 == sha256_file(path)
    found = load_metric(path)
    assert found.facts == FACTS and found.dimension == 6
    assert found.signature == f"joint-bayesian({sha256[:12]})"
    x = np.random.default_rng(1).standard_normal((5, 6))
    # The values of the file: those of the model, rounded to float32.
    expected, projected = as_stored(model).project(x, np.float32), found.project(x)
    assert projected.rows.dtype == np.float32
    np.testing.assert_array_equal(
        score_block(projected, projected), score_block(expected, expected)
    )
    of = JointBayesianSimilarity.of(model, FACTS)
    np.testing.assert_array_equal(of.project(x).rows, projected.rows)
    np.testing.assert_array_equal(of.project(x).bias, projected.bias)
    full = model.project(x)
    np.testing.assert_allclose(projected.rows, full.rows, atol=1e-5 * np.abs(full.rows).max())
    np.testing.assert_allclose(projected.bias, full.bias, atol=1e-5 * np.abs(full.bias).max())
    assert metric_bytes(found.model, found.facts) == path.read_bytes()
    assert found.values == sum(tensor.size for tensor in tensors_of(path).values())


def test_a_metric_of_no_file_has_the_signature_of_its_file(file: Path) -> None:
    assert JointBayesianSimilarity.of(toy(), FACTS).signature == load_metric(file).signature
    assert JointBayesianSimilarity.of(toy()).signature != load_metric(file).signature


def test_embeddings_of_another_length_are_one_line_for_users_and_a_value_error(file: Path) -> None:
    metric = load_metric(file)
    with pytest.raises(UserError, match="takes embeddings of 6 numbers, these have 7") as caught:
        metric.project(np.ones((2, 7), dtype=np.float32))
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_hash": "cd" * 32}, "was fitted for the weights abab.*small.*cdcd"),
        ({"weights_hash": "unpinned"}, "the model has unpinned"),
        ({"preprocessing": FACTS.preprocessing.replace("add", "none")}, "flip=add.*flip=none"),
    ],
)
def test_a_metric_of_another_network_is_refused(
    file: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        similarity_for("joint-bayesian", metric=file, **SAME | change)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=message):
        similarity_for("joint-bayesian", card_metric=file, **SAME | change)


def test_names_stand_for_similarities(file: Path, tmp_path: Path) -> None:
    assert isinstance(similarity_for("cosine"), Cosine)
    assert isinstance(similarity_for("cosine", card_metric=file, **SAME), Cosine)
    found = similarity_for("joint-bayesian", metric=file, **SAME)
    assert isinstance(found, JointBayesianSimilarity) and found.name == "joint-bayesian"
    assert similarity_for("joint-bayesian", card_metric=file, **SAME).signature == found.signature
    # Embeddings that were given: nobody knows whose they are.
    assert similarity_for("joint-bayesian", metric=file).signature == found.signature
    other = tmp_path / "other.safetensors"
    write_metric(other, toy(False), MetricFacts())
    chosen = similarity_for("joint-bayesian", metric=other, card_metric=file, **SAME)
    assert chosen.signature == load_metric(other).signature


@pytest.mark.parametrize(
    ("name", "metric", "message"),
    [
        ("joint-baysian", None, "did you mean 'joint-bayesian'"),
        ("joint-bayesian", None, "facebench metric fit MODEL --data FOLDER --attach"),
        ("cosine", Path("x"), "no effect"),
        ("joint-bayesian", Path("absent"), "cannot be read.*facebench metric fit"),
        ("projection", None, "needs a metric.*facebench metric projection MODEL --checkpoint"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, metric: Path | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        similarity_for(name, metric=metric)


def test_a_changed_file_is_not_the_card_s(file: Path) -> None:
    sha256 = sha256_file(file)
    assert similarity_for("joint-bayesian", card_metric=file, card_sha256=sha256, **SAME)
    write_metric(file, toy(), FACTS.model_copy(update={"images": 10}))
    with pytest.raises(UserError, match="was changed"):
        similarity_for("joint-bayesian", card_metric=file, card_sha256=sha256, **SAME)


def broken(change: dict[str, object]) -> bytes:
    tensors = {
        "mean": np.zeros(3),
        "components": np.eye(3)[:2],
        "basis": np.eye(2),
        "ratios": np.ones(2),
    }
    tensors |= change  # type: ignore[arg-type]
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    header = '{"format": "facebench-metric", "version": 1, "normalise": "none"}'
    return safetensors.numpy.save(kept, metadata={"facebench": header})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"basis": None}, "lacks the tensor 'basis'"),
        ({"ratios": np.array([1.0, -1.0])}, "never negative"),
        ({"ratios": np.array([1.0, np.nan])}, "finite float64"),
        ({"weight": np.eye(3)}, "joint-bayesian has no tensor 'weight'"),
        ({"mean": np.zeros(3, dtype=np.float32)}, "finite float64"),
        ({"mean": np.zeros(4)}, "do not fit together"),
        ({"components": None}, "do not fit together"),
        ({"basis": np.eye(3)}, "do not fit together"),
        ({"basis": np.ones(2)}, "2 axes"),
    ],
)
def test_wrong_tensors_are_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(broken({}))
    read_metric(path)
    path.write_bytes(broken(change))
    with pytest.raises(UserError, match=message) as caught:
        load_metric(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_files_of_other_kinds_are_one_line(file: Path) -> None:
    data = file.read_bytes()
    others = (
        b"",
        data[:40],
        data[:-8],
        safetensors.numpy.save({}, metadata={"facebench": "[" * 100_000}),
        b"\xff" * 64,
        safetensors.numpy.save({"a": np.ones(2)}),
        safetensors.numpy.save({"a": np.ones(2)}, metadata={"facebench": "[1]"}),
        data.replace(b'\\"version\\": 2', b'\\"version\\": 3'),
        data.replace(b'\\"version\\": 2', b'\\"version\\": 1'),
        data.replace(b'\\"joint-bayesian\\"', b'\\"joint-bayesiam\\"'),
        data.replace(b'\\"unit\\"', b'\\"tiny\\"'),
    )
    for other in others:
        assert other != data
        file.write_bytes(other)
        with pytest.raises(UserError, match=r"m\.safetensors") as caught:
            load_metric(file)
        assert "\n" not in str(caught.value)
