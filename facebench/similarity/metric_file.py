"""Metric files: a learned similarity and what it was learned on, in one safetensors file.

The header's one metadata entry ``facebench`` is JSON: format, version, kind, and the facts. Tensors
are float32 and computed with in float64, so that the scores of a metric are those of its file:

- kind ``joint-bayesian``, with ``normalise`` in the header: ``mean`` D, ``components`` K×D (absent
  without PCA), ``basis`` K×K, ``ratios`` K (`facebench.similarity.joint_bayesian.model`);
- kind ``projection``: ``weight`` D'×D, ``bias`` D' (`facebench.similarity.projection`).

Files of version 1 are Joint Bayesians in float64; they are read, and no longer written. Same
metric, same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facebench.base.errors import UserError
from facebench.base.opening import MODEL, note_in, plain_bytes, reading, tensors_in
from facebench.base.storage import write_atomically
from facebench.base.validation import validated
from facebench.similarity.joint_bayesian.model import JointBayesianModel, Normalise, Preparation
from facebench.similarity.projection import ProjectionModel

FORMAT, VERSION = "facebench-metric", 2
MetricKind = Literal["joint-bayesian", "projection"]
MetricModel = JointBayesianModel | ProjectionModel
Tensors = dict[str, NDArray[Any]]
_ENTRY = "facebench"
_TYPES = {1: np.dtype(np.float64), 2: np.dtype(np.float32)}  # of the tensors, by version
_LARGEST = float(np.finfo(np.float32).max)


class MetricFacts(BaseModel):
    """What a metric was fitted on, and for which embeddings.

    Of a projection that a network learned with, identities and images may not be known: 0.
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
    version: Literal[1, 2]
    kind: MetricKind = "joint-bayesian"
    normalise: Normalise = "none"


@dataclass(frozen=True, eq=False)
class MetricFile:
    """A metric file's content; sha256: of its bytes; size: how many these are."""

    model: MetricModel
    facts: MetricFacts
    sha256: str
    size: int


def metric_bytes(model: MetricModel, facts: MetricFacts) -> bytes:
    """The bytes of a metric file; UserError where a value is beyond float32."""
    header: dict[str, Any] = facts.model_dump() | {"format": FORMAT, "version": VERSION}
    if isinstance(model, ProjectionModel):
        header |= {"kind": "projection"}
    else:
        header |= {"kind": "joint-bayesian", "normalise": model.preparation.normalise}
    stored = {}
    for name, tensor in _tensors(model).items():
        if not (np.abs(tensor) <= _LARGEST).all():
            raise UserError(f"the metric's {name!r} has values that are not finite in float32")
        stored[name] = np.ascontiguousarray(tensor, np.float32)
    text = json.dumps(header, sort_keys=True, ensure_ascii=False)
    return safetensors.numpy.save(stored, metadata={_ENTRY: text})


def as_stored(model: MetricModel) -> MetricModel:
    """The metric as a file would give it back: its values rounded to float32."""
    tensors = {name: tensor.astype(np.float32) for name, tensor in _tensors(model).items()}
    normalise = "none" if isinstance(model, ProjectionModel) else model.preparation.normalise
    return _model(tensors, normalise)


def _tensors(model: MetricModel) -> Tensors:
    if isinstance(model, ProjectionModel):
        return {"weight": model.weight, "bias": model.bias}
    preparation = model.preparation
    tensors = {"mean": preparation.mean, "basis": model.basis, "ratios": model.ratios}
    if preparation.components is not None:
        tensors["components"] = preparation.components
    return tensors


def _model(tensors: Tensors, normalise: Normalise) -> MetricModel:
    wide = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    if "weight" in wide:
        return ProjectionModel(wide["weight"], wide["bias"])
    preparation = Preparation(normalise, wide["mean"], wide.get("components"))
    return JointBayesianModel(preparation, wide["basis"], wide["ratios"])


def write_metric(path: Path, model: MetricModel, facts: MetricFacts) -> str:
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
        data = plain_bytes(path, MODEL)
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
    with reading(path, "not a metric file", "`facebench metric fit` makes one"):
        tensors, header = tensors_in(data), note_in(data, _ENTRY)
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"it has no header of {FORMAT}")
    fields = validated(_Header, header, str(path))
    _check(path, tensors, fields)
    facts = MetricFacts(**{name: getattr(fields, name) for name in MetricFacts.model_fields})
    return MetricFile(_model(tensors, fields.normalise), facts, found, len(data))


def _check(path: Path, tensors: Tensors, header: _Header) -> None:
    """UserError where tensors are not those of a metric of this kind."""
    dtype = _TYPES[header.version]
    axes = {"mean": 1, "components": 2, "basis": 2, "ratios": 1}
    if header.kind == "projection":
        axes = {"weight": 2, "bias": 1}
    if unknown := sorted(set(tensors) - set(axes)):
        raise UserError(f"{path}: a metric of kind {header.kind} has no tensor {unknown[0]!r}")
    for name, number in axes.items():
        array = tensors.get(name)
        if array is None:
            if name == "components":
                continue
            raise UserError(f"{path}: the metric lacks the tensor {name!r}")
        if array.dtype != dtype or array.ndim != number or not np.isfinite(array).all():
            raise UserError(f"{path}: the metric's {name!r} is not {number} axes of finite {dtype}")
    if not _fit(tensors):
        raise UserError(f"{path}: the metric's tensors do not fit together")
    if header.kind == "joint-bayesian" and (tensors["ratios"] < 0).any():
        raise UserError(f"{path}: the metric's 'ratios' are variances, never negative")


def _fit(tensors: Tensors) -> bool:
    if "weight" in tensors:
        return 0 not in tensors["weight"].shape and len(tensors["weight"]) == len(tensors["bias"])
    d, k, components = len(tensors["mean"]), len(tensors["ratios"]), tensors.get("components")
    reduced = k == d if components is None else components.shape == (k, d)
    return k > 0 and tensors["basis"].shape == (k, k) and reduced
