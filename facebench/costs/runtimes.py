"""The runtimes that a model may be measured in, and how it gets into each."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.models.cards.card import ModelCard
from facebench.models.embedders.base import CheckedEmbedder, Embedder, Preprocessing
from facebench.models.embedders.options import ModelOptions, Precision
from facebench.models.embedders.torch import TorchEmbedder
from facebench.models.export import plain_network, why_not_plain
from facebench.models.zoo import card_for, load_model
from facebench.records.costs import Runtime


@dataclass(frozen=True)
class Job:
    """One model in one runtime. program: an ONNX file of it, where the runtime needs one; batch:
    faces in a pass, for which sparse layers choose how to run.
    """

    spec: str
    runtime: Runtime
    threads: int
    precision: Precision = "float32"
    size: tuple[int, int] | None = None
    program: str | None = None
    batch: int = 32

    @property
    def options(self) -> ModelOptions:
        """What the model is loaded with."""
        return ModelOptions(size=self.size, precision=self.precision, batch=self.batch)


def native_runtime(card: ModelCard) -> Runtime:
    """How facebench itself runs a model."""
    return "onnxruntime" if card.architecture == "onnx" else "eager"


def why_unavailable(runtime: Runtime) -> str | None:
    """Why this machine does not have a runtime, or None: it has it."""
    if runtime in ("onnxruntime", "openvino") and importlib.util.find_spec(runtime) is None:
        extra = "'facebench[onnx]'" if runtime == "onnxruntime" else "openvino"
        return f"not installed (pip install {extra})"
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if runtime == "compile" and shutil.which(compiler) is None:
        return (
            f"torch.compile needs the C++ compiler {compiler}, which is not there: install it, or "
            "name another in CXX"
        )
    return None


def why_not_in(card: ModelCard, runtime: Runtime, precision: Precision) -> str | None:
    """Why a model cannot be run in a runtime, or None: it can be tried."""
    if runtime == native_runtime(card):
        return None
    if card.architecture == "onnx":
        torch_only = runtime in ("eager", "compile")
        return "is an ONNX file, which torch does not run" if torch_only else None
    if (why := why_not_plain(card)) is not None:
        return why
    if runtime != "compile" and precision != "float32":
        return f"is exported in float32, not in {precision}"
    return None


def needs_program(card: ModelCard, runtime: Runtime) -> bool:
    """Whether a model has to be exported to ONNX first."""
    return card.architecture != "onnx" and runtime in ("onnxruntime", "openvino")


def load_in_runtime(job: Job) -> tuple[Embedder, str]:
    """The model as an embedder that computes in the job's runtime, and the runtime's version.

    UserError where it cannot be loaded there.
    """
    card = card_for(job.spec)
    ours = f"torch {torch.__version__}"
    if job.runtime == "compile":
        return compiled(job.spec, job.options, "compiled"), f"{ours}, inductor"
    if job.runtime == "openvino":
        return _in_openvino(job, card)
    spec = job.program or job.spec
    embedder = load_model(spec, ModelOptions() if job.program else job.options)
    if job.runtime == "onnxruntime":
        return embedder, embedder.runtime
    return embedder, ours


def by_batch(job: Job) -> bool:
    """Whether a model may run differently in passes of one face, and so is loaded for each."""
    return job.runtime == "eager"


def compiled(
    spec: str, options: ModelOptions, weights_hash: str, batch: int | None = None
) -> TorchEmbedder:
    """A model by `torch.compile`, which takes minutes at the first pass of every number of faces;
    batch: to which smaller passes are filled up, so that there is one program.
    """
    plain = plain_network(spec, options)
    return TorchEmbedder(
        plain.card.name,
        torch.compile(plain.module.to(options.device), dynamic=False),
        weights_hash,
        plain.preprocessing,
        device=options.device,
        precision=options.precision,
        channels_last=plain.card.architecture != "python",  # which breaks modules that call view
        batch=batch,
    )


class OpenVinoEmbedder(CheckedEmbedder):
    """An ONNX file in OpenVINO, on the CPU: uint8 N×H×W×3 RGB → float32 N×D."""

    def __init__(
        self, id: str, path: Path, preprocessing: Preprocessing, threads: int, nhwc: bool
    ) -> None:
        openvino = importlib.import_module("openvino")  # no hard dependency, and no types
        self.id, self.preprocessing = id, preprocessing
        self.runtime = f"openvino {openvino.__version__.split('-')[0]}"
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._model: Any = openvino.Core().compile_model(str(path), "CPU", settings)
        self._nhwc = nhwc
        self._mean = np.array(preprocessing.mean, dtype=np.float32)
        self._scale = np.array(preprocessing.scale, dtype=np.float32)

    def _run(self, faces: NDArray[Any]) -> NDArray[Any]:
        pixels = faces[..., ::-1] if self.preprocessing.colour == "bgr" else faces
        x = (pixels.astype(np.float32) - self._mean) / self._scale
        x = np.ascontiguousarray(x if self._nhwc else x.transpose(0, 3, 1, 2))
        return np.asarray(self._model(x)[0])


def _in_openvino(job: Job, card: ModelCard) -> tuple[Embedder, str]:
    spec = job.program or job.spec
    native = load_model(spec, ModelOptions() if job.program else job.options)
    path = card_for(spec).weights_path
    assert path is not None
    nhwc = "layout=nhwc" in native.variant
    try:
        made = OpenVinoEmbedder(card.name, path, native.preprocessing, job.threads, nhwc)
    except Exception as error:
        raise UserError(
            f"model {card.name}: OpenVINO cannot load it: {' '.join(str(error).split())[:200]}"
        ) from error
    return made, made.runtime
