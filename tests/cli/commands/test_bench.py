"""``facebench bench``, with real processes and a small network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from facebench.base.storage import cache_folder
from facebench.models.architectures.convnet import ConvNet
from facebench.models.cards.card import ModelCard
from facebench.models.cards.publish import publish_weights, write_card
from facebench.records.costs import find_costs

Run = Callable[..., "Result"]  # noqa: F821
QUICK = ("--threads", "1", "--seconds", "0", "--rounds", "2", "--batch", "2", "--quiet")


@pytest.fixture
def small(work: Path) -> Path:
    """``small`` with weights and ``bare`` without, in ./models."""
    torch.manual_seed(0)
    net = ConvNet(0.125, (80, 80))
    for name in ("small", "bare"):
        values = {"name": name, "title": name, "architecture": "convnet", "width": 0.125}
        card = ModelCard.model_validate(values | {"preprocessing": {"size": (80, 80)}})
        write_card(card, work / "models" / f"{name}.toml")
    publish_weights("small", net.state_dict(), {}, {}, work / "models")
    return work


def test_a_table_and_records(run: Run, small: Path) -> None:
    ended = run("bench", "small", "tiny_model:make", "--size", "112x96", *QUICK)
    assert ended.code == 0 and ended.err == ""
    assert "What the models cost to run" in ended.out
    for word in ("small", "make", "baseline", "not known", "×"):
        assert word in ended.out
    record = find_costs("small")
    assert record is not None and (cache_folder() / "costs" / "small.json").is_file()
    (one,) = record.runs
    assert (one.runtime, one.threads, one.batch, one.native) == ("eager", 1, 2, True)
    assert one.ratios.latency.rounds == (1.0, 1.0) and len(one.latency.rounds) == 2
    own = find_costs("tiny_model:make")
    assert own is not None and own.parameters is None and own.multiply_adds is None
    assert not [path for path in small.iterdir() if path.name == "reports"]


def test_formats_and_files(run: Run, small: Path) -> None:
    ended = run("bench", "small", *QUICK, "--format", "json", "--costs", "kept", "--out", "c.json")
    assert ended.code == 0 and ended.out == ""
    told = json.loads((small / "c.json").read_text())
    kept = json.loads((small / "kept" / "small.json").read_text())
    assert len(kept.pop("seal")) == 64 and told["records"][0] == kept


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("small", "bare"), "'bare' has no trained weights yet"),
        (("smal",), "did you mean 'small'"),
        (("small", "--runtime", "openvno"), "did you mean 'openvino'"),
        (("small", "--out", "no/where.md"), "there is no folder no"),
        (("small", "--size", "96"), "leave out --size"),
        ((), "missing argument"),
    ],
)
def test_mistakes(
    run: Run, small: Path, written: Callable[[], dict[str, bytes]],
    arguments: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    before = written()
    ended = run("bench", *arguments, *QUICK)
    assert ended.code == 2 and message in ended.line.lower()
    assert written() == before
