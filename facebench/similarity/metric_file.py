"""Metric files: a fitted Joint Bayesian and what it was fitted on, in one safetensors file.

Tensors, all float64: ``mean`` D, ``components`` K×D (absent without PCA), ``basis`` K×K and
``ratios`` K (`facebench.similarity.joint_bayesian_model`). The header's one metadata entry
``facebench`` is JSON: format, version, normalise, and the facts. Same metric, same bytes.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facebench.errors import UserError
from facebench.similarity.joint_bayesian_model import (
    JointBayesianModel,
    Normalise,
    Preparation,
)
from facebench.storage import write_atomically
from facebench.validation import validated

FORMAT, VERSION = "facebench-metric", 1
_ENTRY = "facebench"


class MetricFacts(BaseModel):
    """What a metric was fitted on, and for which embeddings.

    weights_hash, preprocessing: of the network whose embeddings it takes, empty: not known;
    model: that network's name; fitted_on: data, in words; identities, images: how many.
    settings: of the fit, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fitted_on: str = ""
    identities: Annotated[int, Field(ge=0)] = 0
    images: Annotated[int, Field(ge=0)] = 0
    model: str = ""
    weights_hash: str = ""
    preprocessing: str = ""
    alignment: str = ""
    settings: str = ""


class _Header(MetricFacts):
    format: Literal["facebench-metric"]
    version: Literal[1]
    normalise: Normalise


@dataclass(frozen=True, eq=False)
class MetricFile:
    """A metric file's content; sha256: of its bytes."""

    model: JointBayesianModel
    facts: MetricFacts
    sha256: str


def metric_bytes(model: JointBayesianModel, facts: MetricFacts) -> bytes:
    """The bytes of a metric file."""
    preparation = model.preparation
    tensors = {"mean": preparation.mean, "basis": model.basis, "ratios": model.ratios}
    if preparation.components is not None:
        tensors["components"] = preparation.components
    header = facts.model_dump() | {
        "format": FORMAT,
        "version": VERSION,
        "normalise": preparation.normalise,
    }
    stored = {name: np.ascontiguousarray(tensor, np.float64) for name, tensor in tensors.items()}
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    return safetensors.numpy.save(stored, metadata={_ENTRY: text})


def write_metric(path: Path, model: JointBayesianModel, facts: MetricFacts) -> str:
    """Write a metric file, complete or not at all; returns its SHA-256."""
    data = metric_bytes(model, facts)
    write_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def read_metric(path: Path, sha256: str | None = None) -> MetricFile:
    """Read a metric file. sha256: what its bytes must hash to.

    UserError in one line with the path: absent, truncated, of another kind, another hash, or with
    wrong shapes or values.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: the metric cannot be read: {error.strerror}; `facebench metric fit` makes one"
        ) from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, the card says {sha256[:12]}…; the file was "
            "changed or does not belong to the card: fit and attach it again"
        )
    try:
        tensors = safetensors.numpy.load(data)
        header = _header_of(data)
    except (safetensors.SafetensorError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path}: not a metric file ({reason[:80]}); `facebench metric fit` makes one"
        ) from None
    fields = validated(_Header, header, str(path))
    facts = MetricFacts(**{name: getattr(fields, name) for name in MetricFacts.model_fields})
    return MetricFile(_model(path, tensors, fields.normalise), facts, found)


def _header_of(data: bytes) -> Any:
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_ENTRY])


def _model(
    path: Path, tensors: dict[str, NDArray[Any]], normalise: Normalise
) -> JointBayesianModel:
    """UserError where shapes or values are not those of a metric."""
    for name, axes in (("mean", 1), ("components", 2), ("basis", 2), ("ratios", 1)):
        array = tensors.get(name)
        if array is None:
            if name == "components":
                continue
            raise UserError(f"{path}: the metric lacks the tensor {name!r}")
        if array.dtype != np.float64 or array.ndim != axes or not np.isfinite(array).all():
            raise UserError(f"{path}: the metric's {name!r} is not {axes} axes of finite float64")
    mean, components = tensors["mean"], tensors.get("components")
    basis, ratios = tensors["basis"], tensors["ratios"]
    d, k = len(mean), len(ratios)
    reduced = k == d if components is None else components.shape == (k, d)
    if not k or basis.shape != (k, k) or not reduced:
        raise UserError(f"{path}: the metric's tensors do not fit together")
    if (ratios < 0).any():
        raise UserError(f"{path}: the metric's 'ratios' are variances, never negative")
    return JointBayesianModel(Preparation(normalise, mean, components), basis, ratios)
