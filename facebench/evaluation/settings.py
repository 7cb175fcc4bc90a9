"""How models are evaluated: what a user may choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from facebench.base.errors import UserError, nearest
from facebench.faces.align.landmarks import check_order
from facebench.faces.align.rules import RULES
from facebench.protocols.prepared import Choices
from facebench.protocols.video import check_frames
from facebench.similarity import SIMILARITIES
from facebench.similarity.pooling import check_pooling
from facebench.similarity.scoring import no_effect
from facebench.statistics.folds import THRESHOLD_RULES

OnMissing = Literal["error", "count"]


class SettingKeywords(TypedDict, total=False):
    """The keywords of `evaluate`; see `Settings`."""

    pairs: str | Path | None
    landmarks: str | Path | None
    landmarks_order: str
    align: str
    detector: str | Path | None
    on_missing: OnMissing
    similarity: str
    metric: Path | None
    pooling: str | None
    frames: str | None
    rule: str
    draws: int
    seed: int
    batch: int
    workers: int
    store: bool
    progress: bool


@dataclass(frozen=True)
class Settings:
    """How models are evaluated.

    pairs, landmarks: lists that replace those beside the images. landmarks_order: of the ten
    numbers of a row, a name in `facebench.faces.align.landmarks.ORDERS`. align: a name in
    `facebench.faces.align.rules.RULES`; detector: YuNet's ONNX file. on_missing: absent or
    unreadable images are an ``error``, or failures to acquire (``count``). similarity, rule: by
    name; metric: the file of a learned similarity, None: the one that the model's card names.
    pooling, frames: of videos and templates, None: the protocol card's. draws, seed: of the
    bootstrap of all pairs and of the bands of curves. batch: faces per pass of the network.
    workers: processes that read images. store: keep and use embeddings in the cache. progress:
    bars on standard error.

    UserError for a name that is not known, with the nearest one.
    """

    pairs: str | Path | None = None
    landmarks: str | Path | None = None
    landmarks_order: str = "xyxy"
    align: str = "auto"
    detector: str | Path | None = None
    on_missing: OnMissing = "error"
    similarity: str = "cosine"
    metric: Path | None = None
    pooling: str | None = None
    frames: str | None = None
    rule: str = "exact"
    draws: int = 1000
    seed: int = 0
    batch: int = 32
    workers: int = 1
    store: bool = True
    progress: bool = True

    def __post_init__(self) -> None:
        known("alignment", self.align, RULES)
        check_order(self.landmarks_order)
        known("similarity", self.similarity, SIMILARITIES)
        known("threshold rule", self.rule, THRESHOLD_RULES)
        known("--on-missing", self.on_missing, ("error", "count"))
        for name, least in (("draws", 0), ("seed", 0), ("batch", 1), ("workers", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.pooling is not None:
            check_pooling(self.pooling)
        if self.frames is not None:
            check_frames(self.frames)
        if self.metric is not None and self.similarity == "cosine":
            raise UserError(no_effect(self.metric))

    @property
    def choices(self) -> Choices:
        """What protocols are told."""
        return Choices(self.pooling, self.frames, self.rule, self.draws, self.seed)


def known(what: str, name: str, names: Iterable[str]) -> None:
    known = list(names)
    if name not in known:
        raise UserError(f"unknown {what} {name!r}{nearest(name, known)} ({', '.join(known)})")
