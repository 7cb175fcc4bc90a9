"""The runtime that embeds a model's faces: its own, one that was named, or the fastest that agrees.

What is found is kept in the cache: a run that goes on embeds where the first did, and so finds what
that one stored. Embeddings of another runtime are never taken for those of this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.base.opening import SETTINGS, read_json
from facebench.base.storage import cache_folder, write_atomically
from facebench.base.version import __version__, torch_version
from facebench.costs.measure import describe_machine
from facebench.costs.runtimes import compiled, native_runtime, why_not_in, why_unavailable
from facebench.models.cards.card import ModelCard
from facebench.models.embedders.base import Embedder
from facebench.models.embedders.onnx import OnnxEmbedder, OnnxFile
from facebench.models.embedders.options import ModelOptions
from facebench.models.export import (
    LEAST_COSINE,
    TOLERANCE,
    compare_embeddings,
    plain_network,
    program_bytes,
)
from facebench.records.costs import Runtime

_TRIED: tuple[Runtime, ...] = ("onnxruntime", "compile")
_ROUNDS = 3
_GAIN = 0.9  # of the own runtime's time: what is hardly faster is not worth other bits
_LONG = 900.0  # seconds of embedding from which on compiling, a minute or two, is tried
AlignedFaces = NDArray[np.uint8]


class ElsewhereEmbedder(Embedder):
    """A model whose passes run in another runtime. own: as facebench runs it; load: makes the one
    that does, when the first face comes.
    """

    def __init__(self, own: Embedder, runtime: str, load: Callable[[], Embedder]) -> None:
        self.id, self.weights_hash, self.preprocessing = own.id, own.weights_hash, own.preprocessing
        self.precision, self.device, self.variant = own.precision, own.device, own.variant
        self.storable, self.guessed, self.cost = own.storable, own.guessed, own.cost
        self.runtime = runtime
        self.remarks = (
            *own.remarks,
            f"embedded in {runtime}, whose embeddings of the first faces agree with those of the "
            f"model's own runtime to {TOLERANCE:g} of their largest number and a cosine of "
            f"{LEAST_COSINE:.5f}",
        )
        self._load = load
        self._model: Embedder | None = None

    def ready(self) -> None:
        """Load the model there."""
        if self._model is None:
            self._model = self._load()

    def forward(self, faces: AlignedFaces) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB faces → float32 N×D, no flip."""
        self.ready()
        assert self._model is not None
        return self._model.forward(faces)


@dataclass(frozen=True)
class ChosenRuntime:
    """embedder: what embeds now; told: how that was found, in a sentence, or nothing."""

    embedder: Embedder
    told: str = ""


@dataclass(frozen=True)
class RuntimeChoice:
    """Of one model: where its faces may be embedded. spec: what it is loaded by; own: as facebench
    runs it; batch: faces in a pass; faces: how many there are; first: gives the first of them.
    """

    spec: str
    card: ModelCard
    own: Embedder
    batch: int
    faces: int
    first: Callable[[], AlignedFaces]

    def named(self, runtime: Runtime) -> ChosenRuntime:
        """In a runtime that was named. UserError: it cannot be, or does not agree."""
        if runtime == native_runtime(self.card):
            return ChosenRuntime(self.own)
        why = self._why_not(runtime)
        if why is None and runtime not in self._known().get("agreed", ()):
            faces = self.first()
            self.own.embed(faces[:1])  # tells what is wrong with the model itself
            why = self._disagrees(self._in(runtime), faces)
            if why is None:
                self._note(agreed=[*self._known().get("agreed", ()), runtime])
        if why is not None:
            raise UserError(f"model {self.own.id} in {runtime}: {why}; leave --runtime out")
        return ChosenRuntime(self._in(runtime))

    def fastest(self) -> ChosenRuntime:
        """The fastest that agrees, by measuring on the first faces, or as it was found before."""
        known = self._known().get("chosen")
        native = native_runtime(self.card)
        if known in (*_TRIED, native):
            told = f"{self.own.id}: --runtime auto: {known}, as it was found before"
            return ChosenRuntime(self.own if known == native else self._in(known), told)
        faces = self.first()
        ways: dict[Runtime, Embedder] = {native: self.own}
        self.own.ready()
        self.own.embed(faces)
        estimate, left = self.faces * _seconds(self.own, faces) / len(faces), list[str]()
        for runtime in _TRIED:
            if runtime in ways:
                continue
            why = self._why_not(runtime)
            if why is None and runtime == "compile" and estimate < _LONG:
                why = f"compiling takes longer than {estimate:.0f} s of embedding can save"
            if why is None:
                other = self._in(runtime)
                why = self._disagrees(other, faces)
            if why is None:
                ways[runtime] = other
            else:
                left.append(f"{runtime} not: {why}")
        seconds: dict[Runtime, list[float]] = {name: [] for name in ways}
        for _ in range(_ROUNDS):
            for name, way in ways.items():
                seconds[name].append(_seconds(way, faces))
        best = {name: min(values) for name, values in seconds.items()}
        own_time = best[native]
        chosen = min(best, key=lambda name: best[name])
        if best[chosen] > _GAIN * own_time:
            chosen = native
        self._note(chosen=chosen, agreed=[name for name in ways if name in _TRIED])
        speeds = ", ".join(f"{name} {len(faces) / best[name]:,.0f} faces/s" for name in ways)
        told = f"{self.own.id}: --runtime auto: {chosen} ({'; '.join([speeds, *left])})"
        return ChosenRuntime(ways[chosen], told)

    def _disagrees(self, other: Embedder, faces: AlignedFaces) -> str | None:
        try:
            check = compare_embeddings(self.own, other, faces)
        except UserError as error:
            return str(error)
        return None if check.equal else f"does not agree with its own runtime: {check.text}"

    def _why_not(self, runtime: Runtime) -> str | None:
        if (why := why_unavailable(runtime)) is not None:
            return why
        if runtime == "onnxruntime" and not self.own.device.startswith("cpu"):
            return "ONNX programs of models are run on the CPU"
        if runtime == "onnxruntime" and self.own.variant:
            return f"a program has the first output alone, not {self.own.variant}"
        precision: Any = self.own.precision
        return why_not_in(self.card, runtime, precision)

    def _in(self, runtime: Runtime) -> ElsewhereEmbedder:
        if runtime == "compile":
            version = f"torch {torch.__version__}, inductor"
            return ElsewhereEmbedder(self.own, version, self._compiled)
        version = importlib.import_module("onnxruntime").__version__
        return ElsewhereEmbedder(self.own, f"onnxruntime {version}", self._program)

    @property
    def _options(self) -> ModelOptions:
        own: Any = self.own
        size = own.preprocessing.size if self.card.architecture == "python" else None
        return ModelOptions(size=size, precision=own.precision, device=own.device, batch=self.batch)

    def _compiled(self) -> Embedder:
        made = compiled(self.spec, self._options, self.own.weights_hash, self.batch)
        return made.prepared_as(self.own.preprocessing)

    def _program(self) -> Embedder:
        path = self._stem.with_suffix(".onnx")
        if not path.is_file():
            write_atomically(path, program_bytes(plain_network(self.spec, self._options), "onnx"))
        return OnnxEmbedder(self.own.id, OnnxFile(path), self.own.preprocessing)

    @cached_property
    def _stem(self) -> Path:
        """Where it is kept what was found, under all that it depends on; without an ending."""
        machine, own = describe_machine(), self.own
        inputs = (
            __version__, torch_version(), own.signature, own.weights_hash, own.runtime, own.device,
            machine.cpu, machine.cores, torch.get_num_threads(), self.batch,
        )  # fmt: skip
        key = hashlib.sha256("\n".join(map(str, inputs)).encode()).hexdigest()[:32]
        return cache_folder() / "runtimes" / key

    def _known(self) -> Mapping[str, Any]:
        try:
            found = read_json(
                self._stem.with_suffix(".json"), "what is known of the runtimes", SETTINGS
            )
        except UserError:
            return {}
        return found if isinstance(found, dict) else {}

    def _note(self, **facts: object) -> None:
        text = json.dumps({**self._known(), **facts})
        with contextlib.suppress(OSError):  # it is measured again
            write_atomically(self._stem.with_suffix(".json"), text.encode(), durable=False)


def _seconds(embedder: Embedder, faces: AlignedFaces) -> float:
    started = perf_counter()
    embedder.embed(faces)
    return perf_counter() - started
