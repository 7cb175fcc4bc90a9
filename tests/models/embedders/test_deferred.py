"""Models known from an earlier load: they say the same, and load when a face is embedded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.evaluation.candidate import candidate_of
from facebench.models.embedders.deferred import DeferredEmbedder
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model
from tests.evaluation.test_candidate import publish_half4b

TOLD = (
    "id", "weights_hash", "preprocessing", "precision", "device", "variant", "runtime", "guessed",
    "remarks", "storable", "signature",
)  # fmt: skip


@pytest.fixture
def half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published network in the models of the working directory; its card."""
    publish_half4b(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models" / "half4b.toml"


def known() -> list[Path]:
    return list((Path(os.environ["FACEBENCH_CACHE"]) / "loaded").glob("*.json"))


def is_deferred(options: ModelOptions | None = None) -> bool:
    return isinstance(candidate_of("half4b", options).embedder, DeferredEmbedder)


def test_a_known_model_says_and_gives_what_a_loaded_one_does(half: Path) -> None:
    first, second = (candidate_of("half4b") for _ in range(2))
    assert not isinstance(first.embedder, DeferredEmbedder)
    assert isinstance(second.embedder, DeferredEmbedder) and first.facts == second.facts
    for name in TOLD:
        assert getattr(second.embedder, name) == getattr(first.embedder, name), name
    faces = np.random.default_rng(0).integers(0, 255, (3, 112, 96, 3), dtype=np.uint8)
    loaded = load_model("half4b")
    assert np.array_equal(second.embedder.embed(faces), loaded.embed(faces))
    assert np.array_equal(second.embedder.forward(faces), loaded.forward(faces))


def test_other_options_cards_and_weights_are_other_models(half: Path) -> None:
    assert not is_deferred() and is_deferred()
    assert not is_deferred(ModelOptions(flip="none")) and is_deferred(ModelOptions(flip="none"))
    assert not is_deferred(ModelOptions(batch=1))  # other layers may run sparsely
    half.write_text(half.read_text() + "\n")
    assert not is_deferred() and is_deferred()
    weights = half.parent / "weights" / "half4b.safetensors"
    weights.write_bytes(weights.read_bytes() + b"x")
    with pytest.raises(UserError, match="its SHA-256 is"):
        candidate_of("half4b")
    weights.unlink()
    with pytest.raises(UserError, match="are not there"):
        candidate_of("half4b")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"preprocessing": {}}', '{"preprocessing": 3}'])
def test_what_was_noted_may_be_damaged(half: Path, text: str) -> None:
    candidate_of("half4b")
    (note,) = known()
    whole = note.read_text()
    note.write_text(text)
    assert not is_deferred() and note.read_text() == whole


def test_a_model_that_is_not_what_was_known_is_told(half: Path) -> None:
    candidate_of("half4b")
    (note,) = known()
    note.write_text(note.read_text().replace('"runtime": "', '"runtime": "other '))
    embedder = candidate_of("half4b").embedder
    assert isinstance(embedder, DeferredEmbedder)
    with pytest.raises(UserError, match="half4b was changed while it was evaluated"):
        embedder.ready()


def test_a_name_of_ones_own_and_programs_are_loaded(half: Path, tmp_path: Path) -> None:
    candidate_of("half4b")
    assert not isinstance(candidate_of("half4b", name="mine").embedder, DeferredEmbedder)
    (tmp_path / "own_factory.py").write_text(
        "import numpy as np\ndef make():\n    return lambda faces: np.zeros((len(faces), 2))\n"
    )
    before = known()
    for _ in range(2):
        found = candidate_of("own_factory:make", ModelOptions(size=(112, 96))).embedder
        assert not isinstance(found, DeferredEmbedder)
    assert known() == before
