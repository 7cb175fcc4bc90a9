"""Model cards: what a model is, how it was made and how faces are prepared for it; one TOML each.

A field with a wrong name or value is a UserError that names file, field and what is allowed.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from facebench.base.errors import UserError, nearest, readable
from facebench.base.storage import kept, toml_files
from facebench.base.text import fraction
from facebench.base.validation import (
    PositiveShare,
    Strict,
    Text,
    read_toml,
    require_own_name,
    validated,
)
from facebench.models.architectures.registry import ARCHITECTURES, Compact, smallest_side
from facebench.models.architectures.shapes import LAYERS
from facebench.models.cards.places import require_inside
from facebench.models.embedders.base import FlipRule, Preprocessing
from facebench.models.embedders.options import Colour, Layout, Triple
from facebench.models.regions import Region, Side


class Shape(NamedTuple):
    """What a compact network is built from; size: height and width."""

    architecture: str
    embedding: int
    size: tuple[int, int]
    width: float


def is_compact(card: ModelCard) -> bool:
    """Whether a card is of a compact network or of one of its teachers."""
    return card.architecture in ARCHITECTURES


def is_code(card: ModelCard) -> bool:
    """Whether a card is of Python code that has its weights from nowhere else."""
    return card.architecture == "python" and card.factory is None


def check_compact(card: ModelCard) -> None:
    """ValueError where the fields of compact networks are wrong, or stand in another card."""
    if not is_compact(card):
        lost = card.filters_removed is not None and card.factory is None
        if card.embedding is not None or lost:
            raise ValueError(
                f"embedding and filters_removed belong to {', '.join(ARCHITECTURES)}, not to "
                f"architecture {card.architecture!r}"
            )
        return
    if card.sparsity:
        raise ValueError("sparsity belongs to architecture 'convnet'")
    size = card.preprocessing.size
    if card.embedding is None or size is None:
        raise ValueError(f"a {card.architecture} needs embedding and preprocessing.size")
    if (card.weights is None) != (card.sha256 is None):
        raise ValueError(f"a {card.architecture} has both weights and sha256, or neither")
    if min(size) < (least := smallest_side(card.architecture)):
        raise ValueError(
            f"size {size[0]}x{size[1]} is too small for {card.architecture}, which takes at least "
            f"{least}x{least}"
        )


def shape_of(card: ModelCard) -> Shape:
    """What the network of a compact card is built from."""
    assert is_compact(card) and card.embedding is not None and card.preprocessing.size is not None
    return Shape(card.architecture, card.embedding, card.preprocessing.size, card.width or 1.0)


FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
Architecture = Literal["convnet", "onnx", "torchscript", "export", "python", "ensemble", Compact]
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
Name = Annotated[str, Field(pattern=_NAME, max_length=64)]
# Line breaks in a card are layout, not content.

RECORDED = "recorded"  # the folder in models/ for cards whose records are kept, but no weights
_CONVNET_SIDE = 80  # four 2×2 poolings leave the 5×5 that two unpadded 3×3 layers need


class PreprocessingFields(Strict):
    """How a face becomes the input: (pixel - mean) / scale, pixels 0 to 255, channels in order.

    size: height and width; left out, the model must say it itself.
    """

    size: tuple[Side, Side] | None = None
    colour: Colour = "rgb"
    mean: Triple = (127.5, 127.5, 127.5)
    scale: Triple = (128.0, 128.0, 128.0)
    flip: FlipRule = "none"

    @classmethod
    def of(cls, prepared: Preprocessing) -> Self:
        """As a model's faces are prepared."""
        return cls(**{name: getattr(prepared, name) for name in cls.model_fields})

    @field_validator("mean", "scale")
    @classmethod
    def _finite(cls, values: Triple) -> Triple:
        if not all(math.isfinite(value) for value in values):
            raise ValueError("must be finite")
        return values

    @field_validator("scale")
    @classmethod
    def _unit(cls, scale: Triple) -> Triple:
        if min(scale) < 1:
            raise ValueError("is in units of 0 to 255, at least 1 (0.229 of 0 to 1 is 58.395)")
        return scale


class Training(Strict):
    """How the weights were learned. images: faces seen, repetitions counted; fingerprint: of all
    that they depend on; faces: short names, by content, of the faces of real people among the data.
    """

    data: Text = ""
    recipe: Text = ""
    images: Annotated[int, Field(ge=0)] | None = None
    duration: Text = ""
    device: Text = ""
    precision: Text = ""
    fingerprint: Annotated[str, Field(pattern=r"^([0-9a-f]{12})?$")] = ""
    faces: tuple[str, ...] = ()


class Source(Strict):
    """Where the structure was published, and with what result there (not ours)."""

    paper: Text
    table: Text = ""
    accuracy: PositiveShare | None = None
    compression_ratio: PositiveShare | None = None


class MetricFields(Strict):
    """A metric for the model's embeddings: its file, relative to the card, and of whom it was
    learned.
    """

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    fitted_on: Text = ""
    identities: Annotated[int, Field(ge=0)] | None = None
    images: Annotated[int, Field(ge=0)] | None = None


class Calibration(Strict):
    """What the ranges of a quantised graph's activations were taken from.

    faces: what they are called, by their contents; images: how many; method, seed: of the ranges,
    and of the draw of the faces; people: whose they are, where their names name somebody.
    """

    faces: Text
    images: Annotated[int, Field(ge=1)]
    method: Text
    seed: Annotated[int, Field(ge=0)]
    people: tuple[str, ...] = ()


class Member(Strict):
    """One network of an ensemble: the name of its card and of the region that it sees."""

    model: Name
    region: Name


def is_name(text: str) -> bool:
    """Whether a text may be a card's name; ``package.module:factory`` is a model, but no card."""
    return re.search(_NAME, text) is not None


class ModelCard(Strict):
    """A model of the zoo, of a pruning run, or one that a user brings.

    weights: a file, relative to the card; sha256: of that file, required for networks of ours;
    factory: of a python model the code that makes the network, ``package.module:factory``, whose
    weights the file holds (without such a file ``weights`` names the code); width: of networks of
    ours; sparsity: of a ConvNet, S by layer as ``"1/256"``; embedding: dimension of a compact
    network, filters_removed: the share that it, or a python model's network, lost;
    parent: the card whose weights it started from; layout, output: of ONNX models. region: what a
    ConvNet sees of the face, left out for all of it; members, regions: of an ensemble, by name;
    calibration: of an ONNX file that ``facebench quantise --calibrate`` wrote;
    metric: the Joint Bayesian that ``facebench metric fit --attach`` learned for it; projection:
    the linear map of its embeddings that ``facebench metric projection --attach`` took over.
    """

    name: Name
    title: Text
    architecture: Architecture
    width: Annotated[float, Field(gt=0, le=4)] | None = None
    embedding: Annotated[int, Field(ge=1, le=8192)] | None = None
    filters_removed: Annotated[float, Field(ge=0, lt=1)] | None = None
    parent: Name | None = None
    licence: Text = ""
    factory: Annotated[str, Field(pattern=rf"^{FACTORY.pattern}$")] | None = None
    weights: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    layout: Layout | None = None
    output: str | None = None
    notes: Text = ""
    sparsity: dict[str, str] = Field(default_factory=dict)
    members: tuple[Member, ...] = ()
    regions: dict[Name, Region] = Field(default_factory=dict)
    region: Region | None = None
    preprocessing: PreprocessingFields = PreprocessingFields()
    training: Training = Training()
    calibration: Calibration | None = None
    source: Source | None = None
    metric: MetricFields | None = None
    projection: MetricFields | None = None
    _path: Path = PrivateAttr(default=Path("card.toml"))

    @field_validator("sparsity")
    @classmethod
    def _degrees(cls, sparsity: dict[str, str]) -> dict[str, str]:
        for layer, degree in sparsity.items():
            if layer not in LAYERS:
                raise ValueError(
                    f"no layer {layer!r}{nearest(layer, LAYERS)} ({', '.join(LAYERS)})"
                )
            try:
                value = fraction(degree)
            except ValueError:
                value = Fraction(0)
            if not 0 < value <= 1:
                raise ValueError(f"layer {layer}: {degree!r} is not a share such as '1/256'")
        return sparsity

    @field_validator("preprocessing")
    @classmethod
    def _large_enough(
        cls, fields: PreprocessingFields, info: ValidationInfo
    ) -> PreprocessingFields:
        convnet, size = info.data.get("architecture") == "convnet", fields.size
        if convnet and size is not None and min(size) < _CONVNET_SIDE:
            raise ValueError(
                f"size {size[0]}x{size[1]} is too small for a convnet, which takes at least "
                f"{_CONVNET_SIDE}x{_CONVNET_SIDE}"
            )
        return fields

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.architecture == "convnet":
            if self.width is None or self.preprocessing.size is None:
                raise ValueError("a convnet needs width and preprocessing.size")
            if (self.weights is None) != (self.sha256 is None):
                raise ValueError("a convnet has both weights and sha256, or neither")
        elif (self.width is not None or self.sparsity) and not is_compact(self):
            raise ValueError("width and sparsity belong to architecture 'convnet'")
        check_compact(self)
        if self.calibration is not None and self.architecture != "onnx":
            raise ValueError("calibration belongs to architecture 'onnx'")
        if self.factory is not None and (self.architecture != "python" or self.weights is None):
            raise ValueError("factory belongs to architecture 'python', with a file of weights")
        if self.architecture == "python" and self.sha256 is not None and self.factory is None:
            raise ValueError(
                "sha256 is of a file of weights; a python model has none without 'factory'"
            )
        self._check_regions()
        return self

    def _check_regions(self) -> None:
        ensemble = self.architecture == "ensemble"
        if not ensemble and (self.members or self.regions):
            raise ValueError("members and regions belong to architecture 'ensemble'")
        if ensemble:
            check_ensemble(self)
        elif self.region is not None:
            if self.architecture != "convnet":
                raise ValueError("region belongs to architecture 'convnet'")
            if self.region.size != self.preprocessing.size:
                raise ValueError("region.size and preprocessing.size differ")

    @property
    def path(self) -> Path:
        """The file that the card was read from."""
        return self._path

    @property
    def weights_path(self) -> Path | None:
        """The weights file, or None: the card has none, or its model is Python code."""
        if self.weights is None or is_code(self):
            return None
        return self._path.parent / self.weights

    def metric_fields(self, similarity: str) -> MetricFields | None:
        """What was attached for a similarity, or None; its file is relative to the card."""
        return {"joint-bayesian": self.metric, "projection": self.projection}.get(similarity)

    @property
    def degrees(self) -> dict[str, Fraction]:
        """Degree of sparsity S (the share kept) by layer of the paper."""
        return {layer: fraction(degree) for layer, degree in self.sparsity.items()}


def check_ensemble(card: ModelCard) -> None:
    """ValueError where an ensemble's members and regions do not belong together."""
    if len(card.members) < 2 or not card.regions:
        raise ValueError("an ensemble needs at least two members, and regions")
    own = (card.weights, card.sha256, card.layout, card.output, card.region)
    if any(field is not None for field in own) or card.preprocessing != PreprocessingFields():
        raise ValueError("weights, preprocessing and region are those of an ensemble's members")
    used = [member.region for member in card.members]
    for name in used:
        if name not in card.regions:
            raise ValueError(f"no region {name!r}{nearest(name, card.regions)}")
    if idle := sorted(set(card.regions) - set(used)):
        raise ValueError(f"no member sees the region {idle[0]!r}")
    if len(set(card.members)) < len(card.members):
        raise ValueError("a member is named twice with the same region")
    if card.name in (member.model for member in card.members):
        raise ValueError("an ensemble cannot be its own member")
    if len({region.canvas for region in card.regions.values()}) > 1:
        raise ValueError("all regions of an ensemble are cut from the same canvas")


@kept
def read_card(path: Path, named: Path | None = None) -> ModelCard:
    """The card in a TOML file; UserError names the file, the field and what is allowed there.

    The files that it names are in its folder or workspace. named: one of them that the user named
    himself, wherever it leads.
    """
    card = validated(ModelCard, read_toml(path), str(path))
    card._path = path
    weights = None if card.weights_path is None else card.weights
    files = {"weights": weights}
    for field in ("metric", "projection"):
        learned: MetricFields | None = getattr(card, field)
        files[f"{field}.file"] = None if learned is None else learned.file
    for field, file in files.items():
        if file is not None:
            require_inside(path, field, file, named)
    return card


def card_names() -> list[str]:
    """Names of all cards in the workspace folders, those in `RECORDED` too, sorted."""
    return sorted(_card_files())


def find_card(name: str) -> ModelCard:
    """The card with a name, the working directory's first; UserError suggests the nearest name."""
    files = _card_files()
    if name not in files:
        hint = nearest(name, files) or ";"
        raise UserError(
            f"unknown model {name!r}{hint} `facebench models` lists the models, and a file or "
            "package.module:factory may be given instead"
        )
    return _named_card(files[name])


def list_models(*, recorded: bool = False) -> list[ModelCard]:
    """The cards of all models that have a name, dense before sparse.

    Parameters
    ----------
    recorded : bool, optional
        Also those whose records are shipped and whose weights are not.

    Returns
    -------
    list of ModelCard
        Each with ``name``, which `evaluate` takes, ``title``, ``licence`` and so on; those of the
        working directory's folder ``models`` are before the shipped ones of the same name.

    Warns
    -----
    UserWarning
        Names a card that is wrong, once, and the field: it is left out.

    Examples
    --------
    >>> import facebench
    >>> "sparse_074" in [card.name for card in facebench.list_models()]
    True
    """
    paths = [p for p in _card_files().values() if recorded or p.parent.name != RECORDED]
    return sorted(readable(_named_card, paths), key=_kept_first)


def recorded_names() -> list[str]:
    """Names of the cards in `RECORDED`, sorted."""
    return sorted(name for name, path in _card_files().items() if path.parent.name == RECORDED)


def _named_card(path: Path) -> ModelCard:
    card = read_card(path)
    require_own_name(card.name, path)
    return card


def _kept_first(card: ModelCard) -> tuple[bool, float, str]:
    ratio = card.source.compression_ratio if card.source else None
    return (ratio is None, -(ratio or 0), card.name)


def _card_files() -> dict[str, Path]:
    return toml_files("models", ".", RECORDED)
