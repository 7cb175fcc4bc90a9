"""``--runtime``: another runtime is chosen by measuring, only where it agrees, and it is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import facebench
from facebench.base.errors import UserError
from facebench.costs import fastest
from facebench.costs.fastest import RuntimeChoice
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import card_for, load_model

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    input_size = (32, 32)
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 8)
        )
    def forward(self, x):
        return self.layers(x)

def net():
    return Net()
"""
SPEC = "runtime_model:net"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runtime_model.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def crops(count: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def choice(count: int = 1000) -> RuntimeChoice:
    own = load_model(SPEC, ModelOptions(size=(32, 32), flip="add"))
    return RuntimeChoice(SPEC, card_for(SPEC), own, 6, count, crops)


def timed(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> list[str]:
    """Seconds of a pass by runtime, in place of the clock; which ones were timed."""
    asked: list[str] = []

    def taken(embedder: object, _: object) -> float:
        name = str(getattr(embedder, "runtime", "")).split(" ")[0] or "eager"
        asked.append(name)
        return seconds[name]

    monkeypatch.setattr(fastest, "_seconds", taken)
    return asked


def test_a_named_runtime_gives_the_same_embeddings() -> None:
    one = choice()
    chosen = one.named("onnxruntime").embedder
    assert chosen.runtime.startswith("onnxruntime ")
    np.testing.assert_allclose(chosen.embed(crops()), one.own.embed(crops()), rtol=1e-4, atol=1e-5)
    kept = ("id", "weights_hash", "preprocessing", "precision", "variant", "storable", "signature")
    assert [getattr(chosen, name) for name in kept] == [getattr(one.own, name) for name in kept]
    assert one.named("eager").embedder is one.own


def test_the_fastest_is_chosen_told_and_remembered(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = timed(monkeypatch, eager=1e-3, onnxruntime=5e-4)
    chosen = choice().fastest()
    assert chosen.embedder.runtime.startswith("onnxruntime")
    assert "auto: onnxruntime (eager 6,000 faces/s, onnxruntime 12,000 faces/s" in chosen.told
    assert "compile not: compiling takes longer" in chosen.told
    assert any("agree" in remark for remark in chosen.embedder.remarks)
    (kept,) = (place / "cache" / "runtimes").glob("*.json")
    assert json.loads(kept.read_text())["chosen"] == "onnxruntime"
    del asked[:]
    again = choice().fastest()
    assert not asked and "as it was found before" in again.told
    assert again.embedder.runtime == chosen.embedder.runtime


def test_what_is_hardly_faster_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, eager=1e-3, onnxruntime=9.5e-4)
    one = choice()
    assert one.fastest().embedder is one.own


def test_what_does_not_agree_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fastest.program_bytes

    def wrong(network, kind):
        with torch.no_grad():
            next(m for m in network.module.modules() if isinstance(m, nn.Linear)).bias[0] += 1
        return real(network, kind)

    monkeypatch.setattr(fastest, "program_bytes", wrong)
    timed(monkeypatch, eager=1e-3, onnxruntime=1e-6)
    one = choice()
    chosen = one.fastest()
    assert chosen.embedder is one.own and "NOT THE SAME" in chosen.told
    with pytest.raises(UserError, match="does not agree with its own runtime"):
        one.named("onnxruntime")


def test_compiling_is_tried_where_it_can_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of six faces is said to take a millisecond: 15 minutes are 5.4 million faces."""
    passes = []

    def compiled(module: nn.Module, **how: object) -> nn.Module:
        assert how == {"dynamic": False}
        module.register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    monkeypatch.setattr(fastest, "why_unavailable", lambda _: None)
    timed(monkeypatch, eager=1e-3, onnxruntime=9.5e-4, torch=5e-4)
    for count, name in ((5_300_000, "eager"), (5_500_000, "compile")):
        with pytest.MonkeyPatch.context() as changed:
            changed.setenv("FACEBENCH_CACHE", f"cache-{count}")
            one = choice(count)
            chosen = one.fastest()
        assert f"auto: {name} (" in chosen.told
    assert chosen.embedder.runtime.endswith(", inductor")
    few = crops()[:4]
    np.testing.assert_allclose(chosen.embedder.embed(few), one.own.embed(few), atol=1e-5)
    assert set(passes) == {6}  # one program: a smaller pass is filled up


def test_without_a_compiler_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    timed(monkeypatch, eager=1e-3, onnxruntime=5e-4)
    one = choice(10**9)
    assert "compile not: torch.compile needs the C++ compiler" in one.fastest().told
    with pytest.raises(UserError, match=r"in compile: torch.compile needs .* name another in CXX"):
        one.named("compile")


def test_a_compiler_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("InductorError: CppCompileError: C++ compile error\n\nCommand:\ng++ x")

    monkeypatch.setattr(torch, "compile", lambda module, **_: broken)
    monkeypatch.setattr(fastest, "why_unavailable", lambda _: None)
    timed(monkeypatch, eager=1e-3, onnxruntime=5e-4)
    one = choice(10**9)
    chosen = one.fastest()
    assert "auto: onnxruntime (" in chosen.told and "compile not: " in chosen.told
    assert "\n" not in chosen.told and "CppCompileError: C++ compile error" in chosen.told
    with pytest.raises(UserError, match=r"CppCompileError: .*leave runtime=") as found:
        one.named("compile")
    assert "\n" not in str(found.value)


def test_what_a_machine_or_model_cannot_is_one_line(faces: Path) -> None:
    one = choice()
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(fastest, "why_unavailable", lambda _: "not installed (pip install x)")
        with pytest.raises(UserError, match=r"in onnxruntime: not installed .*; leave runtime="):
            one.named("onnxruntime")
    with pytest.raises(UserError, match="needs a model that can be loaded there"):
        facebench.evaluate(
            lambda given: given.reshape(len(given), -1).astype(np.float32),
            "lfw",
            faces,
            runtime="onnxruntime",
            options=ModelOptions(size=(32, 32)),
            align="centre",
            progress=False,
        )


def test_records_say_where_they_were_embedded(faces: Path) -> None:
    given = {"options": ModelOptions(size=(32, 32)), "align": "centre", "progress": False}
    own = facebench.evaluate(SPEC, "lfw", faces, **given)
    there = facebench.evaluate(SPEC, "lfw", faces, runtime="onnxruntime", **given)
    assert own.environment.onnxruntime == "" and there.environment.onnxruntime
    assert there.model.weights_hash == own.model.weights_hash
    assert there.signature == own.signature and there.digest() != own.digest()
    assert any("embedded in onnxruntime" in note for note in there.notes)
    assert not any("embedded in" in note for note in own.notes)
    assert there.statistics.accuracy.value == pytest.approx(own.statistics.accuracy.value, abs=0.1)
    assert len(entries()) == 2  # neither takes the other's embeddings


def entries() -> list[object]:
    from facebench.embedding.store import EmbeddingStore

    return list(EmbeddingStore().entries())
