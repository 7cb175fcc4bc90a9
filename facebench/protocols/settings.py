"""How models are evaluated: what a user may choose, declared once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from facebench.base.errors import UserError, nearest
from facebench.base.options import (
    FACES,
    HOW,
    MACHINE,
    Option,
    check_bounds,
    check_types,
    require_draws,
    told,
)
from facebench.base.vocabulary import MOST_DRAWS, MOST_THREADS
from facebench.faces.align.landmarks import check_order
from facebench.faces.align.rules import RULES
from facebench.faces.align.yunet import CENTRAL, check_face_rule
from facebench.protocols.frames import check_frames
from facebench.similarity import SIMILARITIES
from facebench.similarity.galleries.index import index_of
from facebench.similarity.pooling import check_pooling
from facebench.similarity.scoring import no_effect
from facebench.similarity.templates import Template, templates_of
from facebench.statistics.folds import THRESHOLD_RULES

RuntimeName = Literal["own", "eager", "compile", "onnxruntime", "auto"]


def usual_workers() -> int:
    """One core is left to the network's own process; more than four readers never wait for it."""
    return (
        min(4, max(1, len(os.sched_getaffinity(0)) - 1)) if hasattr(os, "sched_getaffinity") else 1
    )


@told
@dataclass(frozen=True)
class Settings:
    """How models are evaluated: the keywords of `evaluate` and `evaluate_many`.

    Raises
    ------
    UserError
        A name that is not known, with the nearest one, a number out of bounds, a wrong type.

    Examples
    --------
    >>> import facebench
    >>> facebench.Settings(similarity="cosine", batch=64).batch
    64
    """

    pairs: Annotated[str | Path | None, Option(FACES, "Another list of pairs, or splits.txt.")] = (
        None
    )
    distractors: Annotated[
        str | Path | None,
        Option(
            FACES,
            "The folder of a search's distractors, where it is not that of --data.",
            of_models=True,
        ),
    ] = None
    landmarks: Annotated[
        str | Path | None, Option(FACES, "Five landmarks per image, to align by.", of_models=True)
    ] = None
    landmarks_order: Annotated[
        str,
        Option(
            FACES,
            "Of the ten numbers of a row of landmarks: xyxy (x y of each point) or xxyy.",
            of_models=True,
        ),
    ] = "xyxy"
    align: Annotated[
        str,
        Option(
            FACES,
            "auto, landmarks, yunet, centre, template or none. auto: landmarks or face boxes where "
            "the data have them.",
            of_models=True,
        ),
    ] = "auto"
    detector: Annotated[
        str | Path | None,
        Option(FACES, "A YuNet ONNX file.", flags=("--detector", "--yunet"), of_models=True),
    ] = None
    faces: Annotated[
        str,
        Option(
            FACES,
            "Which of several that a detector finds: largest-central, largest, centred, or single, "
            "which refuses such images.",
            of_models=True,
        ),
    ] = CENTRAL
    on_missing: Annotated[
        Literal["error", "count"],
        Option(FACES, "Absent or unreadable images: an error, or counted as failures to acquire."),
    ] = "error"
    similarity: Annotated[str, Option(HOW, "cosine, joint-bayesian or projection.")] = "cosine"
    metric: Annotated[
        Path | None,
        Option(HOW, "A file of `facebench metric fit` or `projection`; default: the model card's."),
    ] = None
    pooling: Annotated[
        str | None,
        Option(
            HOW,
            "Of videos and templates: mean-score, mean-embedding, media-mean (each also with +norm "
            "or +detector), max-score, median-score. Default: the protocol's.",
        ),
    ] = None
    template: Annotated[
        str,
        Option(
            HOW,
            "How an embedding is kept: fp32 (as it is), fp16, int8, binary, pca-64, pca-64+int8. "
            "Several with commas between are a record each.",
        ),
    ] = "fp32"
    template_fit: Annotated[
        str | Path | None,
        Option(
            HOW,
            "Faces that the axes of pca are fitted on, of other people than the test's: a folder "
            "per person, with landmarks.txt or of aligned crops, or index.csv and zip files.",
        ),
    ] = None
    frames: Annotated[
        str | None, Option(HOW, "Of videos: all, every-5, first-50, random-25 and so on.")
    ] = None
    index: Annotated[
        str,
        Option(
            HOW,
            "Of the kind search: exact; flat, FAISS IndexFlatIP, as exact (facebench[faiss]); or "
            "approximate, with its recall beside every number: hnsw:32, ivf:1024.",
        ),
    ] = "exact"
    rule: Annotated[str, Option(HOW, "Of thresholds: exact, facenet-grid.")] = "exact"
    threshold: Annotated[
        str | Path | None,
        Option(
            HOW,
            "A file of `facebench threshold`: rates at that threshold, held fixed, as well.",
        ),
    ] = None
    draws: Annotated[
        int,
        Option(
            HOW,
            "Of the bootstrap that all pairs and the bands of curves take; 0: neither has "
            "intervals.",
            least=0,
            bounds=(None, MOST_DRAWS),
        ),
    ] = 1000
    seed: Annotated[int, Option(HOW, "Of that bootstrap.", least=0)] = 0
    groups: Annotated[
        tuple[str, ...],
        Option(
            HOW,
            "A column of groups whose error rates are told apart: of the list, a table of pairs, "
            "or of --group-table; of rendered faces skin, age, glasses; may be repeated. Default: "
            "the protocol's.",
        ),
    ] = ()
    group_table: Annotated[
        str | Path | None,
        Option(HOW, "A table (CSV, Parquet) of subject, or of image, and columns of groups."),
    ] = None
    threads: Annotated[int | None, Option(MACHINE, "Of the network.", bounds=(1, MOST_THREADS))] = (
        None
    )
    batch: Annotated[int, Option(MACHINE, "Faces per pass.", least=1)] = 32
    runtime: Annotated[
        RuntimeName,
        Option(
            MACHINE,
            "own, eager, compile, onnxruntime, or auto: the fastest that agrees, by measuring on "
            "the first faces.",
            of_models=True,
        ),
    ] = "own"
    workers: Annotated[
        int, Option(MACHINE, "Processes that read images.", least=0, otherwise=usual_workers)
    ] = 1
    store: Annotated[
        bool,
        Option(MACHINE, "Neither use nor keep embeddings.", flags=("--no-store",), off=True),
    ] = True
    progress: bool = True  # bars on standard error; on the command line, unless --quiet

    def __post_init__(self) -> None:
        check_types(self)
        known("alignment", self.align, RULES)
        check_order(self.landmarks_order)
        check_face_rule(self.faces)
        known("similarity", self.similarity, SIMILARITIES)
        index_of(self.index)
        known("threshold rule", self.rule, THRESHOLD_RULES)
        known("--on-missing", self.on_missing, ("error", "count"))
        check_bounds(self)
        require_draws(self.draws)
        if self.pooling is not None:
            check_pooling(self.pooling)
        if self.frames is not None:
            check_frames(self.frames)
        if self.metric is not None and self.similarity == "cosine":
            raise UserError(no_effect(self.metric))
        for template in self.templates:
            _require_use(template, self.similarity)
        axes = [template.name for template in self.templates if template.axes is not None]
        if axes and self.template_fit is None:
            raise UserError(
                f"--template {axes[0]} needs faces that its axes are fitted on, of other people "
                "than the test's: name them with --template-fit"
            )
        if self.template_fit is not None and not axes:
            raise UserError(
                f"--template-fit {self.template_fit} has no effect without --template pca-K; leave "
                "it out"
            )

    @property
    def templates(self) -> tuple[Template, ...]:
        """How embeddings are kept, one record each."""
        return templates_of(self.template)


def _require_use(template: Template, similarity: str) -> None:
    """UserError where a similarity was learned of other numbers than a template keeps."""
    if similarity != "cosine" and (template.axes is not None or template.code == "binary"):
        raise UserError(
            f"--template {template.name} is compared by cosine: the similarity {similarity} was "
            "learned of the network's own numbers, which are not kept; choose fp16 or int8, or "
            "leave --similarity out"
        )


def known(what: str, name: str, names: Iterable[str]) -> None:
    """UserError with the nearest name where a name is not among those."""
    known = list(names)
    if name not in known:
        raise UserError(f"unknown {what} {name!r}{nearest(name, known)} ({', '.join(known)})")


DEFAULTS = Settings()
