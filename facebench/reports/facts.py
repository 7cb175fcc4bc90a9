"""Facts for a report's cells that come from no record: model cards, layers, diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from facebench.base.errors import UserError
from facebench.base.opening import read_json
from facebench.base.storage import kept, result_folders
from facebench.base.validation import validated
from facebench.models.architectures.shapes import convnet_layers, convnet_outputs
from facebench.models.cards.card import ModelCard, is_code
from facebench.models.cards.members import untrained_members
from facebench.models.cards.names import card_for
from facebench.models.sizes import convnet_report, planned_report
from facebench.records.find import DIAGNOSTICS
from facebench.records.scores import file_name

Fact = float | str


class Diagnostics(BaseModel):
    """``reports/results/diagnostics/<model>.json``: what was measured of a model's inside.

    values: numbers or words by name; a list is drawn as bars, e.g. Figure 1's frequencies; source:
    the command and the data that they are of.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    schema_version: Annotated[int, Field(ge=1, le=1)] = 1
    model: str
    source: str = ""
    values: dict[str, float | str | tuple[float, ...]]


@dataclass(frozen=True)
class Size:
    """Parameters of a model, and what is kept; planned: counted from its card, as it has no weights
    yet; at_paper: the ratio at the width of the paper.
    """

    parameters: int
    kept_parameters: int
    bytes: int | None
    planned: bool
    at_paper: float | None = None

    @property
    def compression_ratio(self) -> float:
        """Kept parameters / parameters."""
        return self.kept_parameters / self.parameters


@kept
def find_model(spec: str) -> ModelCard | None:
    """The model card, or None: there is no such model."""
    try:
        return card_for(spec)
    except UserError:
        return None


def model_id(spec: str) -> str:
    """What records call a model."""
    card = find_model(spec)
    return card.name if card else spec


def has_weights(card: ModelCard) -> bool:
    """Whether a model can be evaluated now; an ensemble: all of its members."""
    if card.architecture == "ensemble":
        return not untrained_members(card)
    if is_code(card):
        return True
    path = card.weights_path
    return path is not None and path.is_file()


def size_of(spec: str, paper_width: float | None = None) -> Size | None:
    """The size of a ConvNet of the zoo, from its weights or else its card; None: others.

    paper_width: of the network whose compression ratio is told beside it.
    """
    card = find_model(spec)
    if card is None or card.architecture != "convnet":
        return None
    assert card.width is not None and card.preprocessing.size is not None
    path = card.weights_path
    changed = path.stat().st_mtime_ns if path and path.is_file() else None
    degrees = tuple(card.degrees.items())
    plan = (card.width, card.preprocessing.size, degrees, paper_width)
    return _size(*plan, path if changed else None, card.sha256, changed)


@lru_cache(maxsize=128)
def _size(
    width: float,
    size: tuple[int, int],
    degrees: tuple[tuple[str, Fraction], ...],
    paper_width: float | None,
    path: Path | None,
    sha256: str | None,
    changed: int | None,
) -> Size:
    sparsity = dict(degrees)
    at_paper = None
    if paper_width is not None:
        at_paper = planned_report(paper_width, size, sparsity).compression_ratio
    if path is None:
        plan = planned_report(width, size, sparsity)
        return Size(plan.total, plan.kept, None, planned=True, at_paper=at_paper)
    report = convnet_report(width, size, path, sha256)
    return Size(report.total, report.kept, path.stat().st_size, planned=False, at_paper=at_paper)


@lru_cache(maxsize=8)
def layer_facts(width: float, size: tuple[int, int]) -> dict[str, dict[str, Fact]]:
    """Output ``height×width×channels`` and parameters by layer of the paper."""
    outputs = convnet_outputs(width, size)
    return {
        layer: {
            "layer:output": "×".join(map(str, outputs[layer])),
            "layer:parameters": float(count.total),
        }
        for layer, count in convnet_layers(width, size).items()
    }


def card_fact(card: ModelCard, statistic: str) -> Fact | None:
    """A fact that the model's card states, e.g. ``card:parent``; None where it does not."""
    if statistic == "card:parent":
        return card.parent or ("none: the dense network" if card.width else None)
    if statistic == "card:structure":
        return structure_text(card.degrees) if card.architecture == "convnet" else None
    if statistic == "card:sparsified":
        parent = find_model(card.parent) if card.parent else None
        before = parent.degrees if parent else {}
        changed = {k: v for k, v in card.degrees.items() if before.get(k) != v}
        return structure_text(changed) if card.architecture == "convnet" else None
    if statistic == "card:images":
        return None if card.training.images is None else float(card.training.images)
    return None if card.width is None else f"{card.width:g}"


def structure_text(degrees: dict[str, Fraction]) -> str:
    """``1/256-f 1/128-5b``, as the paper writes sparse structures; ``dense`` for none."""
    return " ".join(f"{degree}-{layer}" for layer, degree in degrees.items()) or "dense"


@kept
def diagnostics_of(model: str) -> Diagnostics | None:
    """What was measured of a model, the working directory's first; None: nothing was.

    UserError in one line: not JSON, or a wrong field.
    """
    for folder in result_folders():
        path = folder / DIAGNOSTICS / f"{file_name(model)}.json"
        if path.is_file():
            return _read_diagnostics(path)
    return None


def diagnostic_path(model: str) -> str:
    """Where the diagnostics of a model are looked for, as shown to users."""
    return f"reports/results/{DIAGNOSTICS}/{file_name(model)}.json"


def _read_diagnostics(path: Path) -> Diagnostics:
    return validated(Diagnostics, read_json(path, "the file of diagnostics"), str(path))
