"""Which model can be measured where, and that every runtime computes the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from facebench.costs.runtimes import (
    Job,
    load_in_runtime,
    native_runtime,
    needs_program,
    why_not_in,
    why_unavailable,
)
from facebench.models.cards.card import ModelCard
from facebench.models.cards.names import card_for
from facebench.models.zoo import load_model


def card(architecture: str, **fields: object) -> ModelCard:
    values = {"name": "m", "title": "m", "architecture": architecture, "weights": "m"}
    return ModelCard.model_validate(values | fields)


def test_where_models_can_run() -> None:
    convnet, onnx, script = card_for("baseline"), card("onnx"), card("torchscript")
    assert native_runtime(convnet) == native_runtime(script) == "eager"
    assert native_runtime(onnx) == "onnxruntime"
    for runtime in ("eager", "compile", "onnxruntime", "openvino"):
        assert why_not_in(convnet, runtime, "float32") is None
    assert why_not_in(onnx, "eager", "float32") == "is an ONNX file, which torch does not run"
    assert why_not_in(onnx, "openvino", "float32") is None
    assert "a program of its own" in (why_not_in(script, "onnxruntime", "float32") or "")
    assert "not in bfloat16" in (why_not_in(convnet, "onnxruntime", "bfloat16") or "")
    assert why_not_in(convnet, "compile", "bfloat16") is None
    assert "ensemble" in (why_not_in(card_for("ensemble_5"), "compile", "float32") or "")
    assert "region" in (why_not_in(card_for("region_left"), "onnxruntime", "float32") or "")
    assert needs_program(convnet, "openvino") and not needs_program(onnx, "openvino")
    assert not needs_program(convnet, "compile")


def test_what_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.platform", "linux")
    assert why_unavailable("eager") is None
    assert why_unavailable("openvino") == "not installed (pip install openvino)"
    assert "facebench[onnx]" in (why_unavailable("onnxruntime") or "")
    monkeypatch.delenv("CXX", raising=False)
    assert "needs the C++ compiler g++, which is not there" in (why_unavailable("compile") or "")
    monkeypatch.setenv("CXX", "clang++-19")
    assert "compiler clang++-19, which is not there" in (why_unavailable("compile") or "")
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if "19" in name else None)
    assert why_unavailable("compile") is None


def same(zoo: Path, runtime: str, tmp_path: Path) -> None:
    from facebench.base.storage import sha256_file
    from facebench.models.cards.publish import write_card
    from facebench.models.export import plain_network, program_bytes, program_card

    program = None
    if needs_program(card_for("sparse"), runtime):  # type: ignore[arg-type]
        plain, path = plain_network("sparse"), tmp_path / "sparse_onnx.onnx"
        path.write_bytes(program_bytes(plain, "onnx"))
        made = program_card(plain, "onnx", path.name, sha256_file(path))
        write_card(made, path.with_suffix(".toml"))
        program = str(path)
    embedder, version = load_in_runtime(Job("sparse", runtime, 1, program=program))  # type: ignore[arg-type]
    faces = np.random.default_rng(0).integers(0, 256, (3, 80, 80, 3), dtype=np.uint8)
    want = load_model("sparse").forward(faces)
    np.testing.assert_allclose(embedder.forward(faces), want, atol=1e-4 * np.abs(want).max())
    assert runtime in version or "torch" in version


def test_onnxruntime_computes_the_same(zoo: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    same(zoo, "onnxruntime", tmp_path)


def test_openvino_computes_the_same(zoo: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    same(zoo, "openvino", tmp_path)


@pytest.mark.slow
def test_compiled_computes_the_same(zoo: Path, tmp_path: Path) -> None:
    if (why := why_unavailable("compile")) is not None:
        pytest.skip(why)
    same(zoo, "compile", tmp_path)
