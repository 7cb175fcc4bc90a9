"""``facebench export``: written if it gives the same, exit code 1 and nothing if not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace as Some
from typing import Any

import numpy as np
import pytest
import torch

from facebench.evaluation import export as exporting
from facebench.evaluation.export import RecordCheck, compare_headlines, export_model
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.export import EmbeddingCheck
from facebench.models.zoo import load_model

Run = Callable[..., "Result"]  # noqa: F821
FEW = np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), dtype=np.uint8)


@pytest.fixture
def small(work: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``small``, a ConvNet for 112×96 faces, in ./models; few faces to check with."""
    torch.manual_seed(0)
    net = ConvNet(0.125)
    values = {"name": "small", "title": "small", "architecture": "convnet", "width": 0.125}
    values |= {"preprocessing": {"size": (112, 96), "flip": "add"}, "licence": "mine"}
    write_card(ModelCard.model_validate(values), work / "models" / "small.toml")
    publish_weights("small", net.state_dict(), {}, {}, work / "models")
    monkeypatch.setattr(exporting, "twin_faces", lambda size: FEW)
    return work


@pytest.mark.parametrize(("to", "file"), [("onnx", "s_onnx.onnx"), ("torch-export", "s.pt2")])
def test_the_file_is_evaluated_alone_and_gives_the_same_record(
    run: Run, small: Path, faces: Path, to: str, file: str
) -> None:
    if to == "onnx":
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
    ended = run(
        "export", "small", "--to", to, "-p", "lfw", "--data", faces, "--out", file,
        "--workers", "0", "--quiet",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert "embeddings of 3 rendered faces: the same; largest difference" in lines[0]
    assert "the same; accuracy" in lines[1] and "0 of 24 decisions differ" in lines[1]
    assert lines[2].startswith(f"{file} (")
    assert lines[3].startswith("larger than the ") and "small's own weights" in lines[3]
    card = read_card(small / Path(file).with_suffix(".toml"))
    assert (card.parent, card.licence, card.preprocessing.flip) == ("small", "mine", "add")
    want = load_model("small").embed(FEW)
    np.testing.assert_allclose(load_model(file).embed(FEW), want, rtol=1e-3, atol=1e-4)
    assert sorted(path.name for path in small.iterdir() if path.stem == Path(file).stem) == sorted(
        [file, Path(file).stem + ".toml"]
    )


def test_what_differs_is_not_written(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch, written: Callable[[], dict[str, bytes]]
) -> None:
    other = EmbeddingCheck(3, 1.0, 1.0, 0.5)
    monkeypatch.setattr(exporting, "compare_embeddings", lambda *_: other)
    before = written()
    ended = run("export", "small", "--to", "torch-export", "--quiet")
    assert ended.code == 1
    assert "NOT THE SAME; largest difference 1 at magnitude 1 (allowed 0.0001)" in ended.out
    assert "not written: small_export.pt2" in ended.err
    assert written() == before


def test_a_record_that_differs_is_not_written(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch, faces: Path
) -> None:
    different = RecordCheck("lfw", "accuracy", "d", (0.9, 0.8), 24, 3, 0.1)
    monkeypatch.setattr(exporting, "compare_headlines", lambda *_: different)
    ended = run(
        "export", "small", "--to", "torch-export", "-p", "lfw", "--data", faces, "--workers", "0",
        "--quiet",
    )  # fmt: skip
    assert ended.code == 1 and not (small / "small_export.pt2").exists()
    assert "lfw on d: NOT THE SAME; accuracy 90.0000 % and 80.0000 %, 3 of 24" in ended.out


def test_nothing_is_overwritten_unasked(run: Run, small: Path) -> None:
    (small / "small_export.toml").write_text("mine")
    ended = run("export", "small", "--to", "torch-export", "--quiet")
    assert ended.code == 2 and "small_export.toml is there already; add --overwrite" in ended.line
    assert (small / "small_export.toml").read_text() == "mine"
    assert run("export", "small", "--to", "torch-export", "--overwrite", "-q").code == 0
    assert read_card(small / "small_export.toml").name == "small_export"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "--to", "onxx"), "did you mean 'onnx'"),
        (("smal", "--to", "onnx"), "did you mean 'small'"),
        (("small", "--to", "onnx", "--out", "a.pt2"), "ends in .onnx"),
        (("small", "--to", "onnx", "--out", "small.onnx"), "name it small_onnx.onnx"),
        (("small", "--to", "onnx", "--out", "no/a.onnx"), "there is no folder no"),
        (("small", "--to", "onnx", "--data", "synthetic"), "--data is of --protocol"),
        (("ensemble_5", "--to", "onnx"), "is an ensemble of several networks"),
        (("tiny_model:make", "--to", "onnx"), "size of its input is not known"),
    ],
)
def test_mistakes(run: Run, small: Path, arguments: tuple[str, ...], message: str) -> None:
    ended = run("export", *arguments, "--quiet")
    assert ended.code == 2 and message in ended.line


def test_headlines_are_compared_with_their_decisions(monkeypatch: pytest.MonkeyPatch) -> None:
    def record(value: float, decisions: list[bool], scores: list[float]) -> Any:
        return Some(
            statistics=Some(headline=Some(value=value)),
            table=Some(decisions=np.array(decisions), scores=np.array(scores, dtype=np.float32)),
            protocol=Some(name="lfw"),
            data=Some(fingerprint="d"),
            comparisons=Some(total=2),
        )

    monkeypatch.setattr(exporting, "statistics_in", lambda record: ["accuracy"])
    one = record(0.5, [True, False], [0.25, -np.inf])
    same = compare_headlines(one, record(0.5, [True, False], [0.75, -np.inf]))
    assert same.equal and same.moved == 0.5
    moved = compare_headlines(one, record(0.5, [False, True], [0.25, -np.inf]))
    assert not moved.equal and moved.changed == 2
    assert not compare_headlines(one, record(0.6, [True, False], [0.25, 0.0])).equal


def test_from_python(small: Path) -> None:
    made = export_model("small", "torch-export")
    assert made.equal and made.records == () and made.file == Path("small_export.pt2")
    assert made.file.stat().st_size == made.size
