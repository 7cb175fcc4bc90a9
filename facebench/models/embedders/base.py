"""A loaded model: faces in, embeddings out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, ended_by
from facebench.models.counting.cost import Cost

FlipRule = Literal["none", "add", "normalised-add", "concat"]
FLIP_RULES: tuple[str, ...] = get_args(FlipRule)
UNPINNED = "unpinned"  # in place of a hash: code that no hash covers may change the numbers


@dataclass(frozen=True)
class Preprocessing:
    """How a face becomes a network's input: ``(pixel - mean) / scale``, pixels 0 to 255.

    size: height and width in pixels; mean and scale: one value per colour channel, in the network's
    own colour order; flip: what is done with the mirrored face. ValueError for an unknown colour
    order or flip rule.
    """

    size: tuple[int, int] = (112, 96)
    colour: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (128.0, 128.0, 128.0)
    flip: FlipRule = "none"

    def __post_init__(self) -> None:
        for value, allowed in ((self.colour, ("rgb", "bgr")), (self.flip, FLIP_RULES)):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {', '.join(allowed)}")

    @property
    def signature(self) -> str:
        """The preprocessing in one word list, for signatures and store keys."""
        mean = ",".join(map(_exact, self.mean))
        scale = ",".join(map(_exact, self.scale))
        height, width = self.size
        return f"{self.colour} {height}x{width} mean={mean} scale={scale} flip={self.flip}"


class Embedder(ABC):
    """A model ready to embed faces.

    id: the name in tables; weights_hash: SHA-256 of what the numbers depend on, or `UNPINNED`;
    precision: the arithmetic, e.g. ``float32`` or ``bfloat16``; device: where it runs; variant:
    what else the numbers depend on, e.g. ``output=b layout=nhwc`` (`variant_of`); runtime: library
    and version that computes them, where that is not torch; storable: whether embeddings may be
    kept for later runs, never if unpinned; guessed: what of its input nobody said, e.g. ``colour
    mean scale``; remarks: sentences on that for records; cost: what it takes, where that is known.
    """

    id: str
    weights_hash: str = UNPINNED
    preprocessing: Preprocessing
    precision: str = "float32"
    device: str = "cpu"
    variant: str = ""
    runtime: str = ""
    storable: bool = True
    guessed: str = ""
    remarks: tuple[str, ...] = ()
    cost: Cost | None = None

    def ready(self) -> None:  # noqa: B027 (most have nothing to do)
        """Load what embedding needs; called before the first faces are embedded."""

    @abstractmethod
    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB faces → float32 N×D, no flip."""

    def prepared_as(self, preprocessing: Preprocessing) -> Embedder | None:
        """The same network with faces prepared in another way; None: it prepares them itself."""
        return None

    def embed(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings under the flip rule: uint8 N×H×W×3 RGB → float32 N×D (N×2D for ``concat``)."""
        rule = self.preprocessing.flip
        plain = self.forward(faces)
        if rule == "none":
            return plain
        mirrored = self.forward(np.ascontiguousarray(faces[:, :, ::-1]))
        if rule == "concat":
            return np.concatenate([plain, mirrored], axis=1)
        if rule == "normalised-add":
            return unit(plain) + unit(mirrored)
        return plain + mirrored

    @property
    def signature(self) -> str:
        """What the embedding of a face depends on, in one line: the key of the embedding store."""
        weights, prepared = self.weights_hash[:16], self.preprocessing.signature
        words = f"weights:{weights} {prepared} {self.precision} {self.variant}"
        return words.rstrip()


def require_complete(embedder: Embedder, where: str) -> None:
    """UserError where an embedder that users wrote lacks an attribute, or it is of another type."""
    for name, kind in (("id", str), ("weights_hash", str), ("preprocessing", Preprocessing)):
        if not isinstance(given := getattr(embedder, name, None), kind):
            says = "none" if given is None else f"a {type(given).__name__}"
            raise UserError(
                f"{where}: an Embedder needs {name!r}, a {kind.__name__}, but "
                f"{type(embedder).__name__} has {says}"
            )


def variant_of(*, output: str | None = None, layout: str | None = None) -> str:
    """A variant in words; None for what the model itself settles."""
    # Quoted, so that no name of an output can look like another choice.
    named = None if output is None else quote(output, safe="/:.,+()[]")
    choices = (("output", named), ("layout", layout))
    return " ".join(f"{name}={value}" for name, value in choices if value is not None)


def _exact(value: float) -> str:
    """The shortest text that reads back as the same number: 127.5, 128."""
    return repr(float(value) + 0.0).removesuffix(".0")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length, float32 N×D; rows of zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)


class CheckedEmbedder(Embedder):
    """An embedder whose pass is the method ``_run``: uint8 N×H×W×3 RGB → N×D of any float type.

    dimension: D, once it is known; batch: the only number of faces that ``_run`` takes, or None.
    """

    dimension: int | None = None
    batch: int | None = None

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One pass of the network: uint8 N×H×W×3 RGB → float32 N×D; UserError where it fails."""
        check_faces(faces, self.preprocessing.size)
        if not len(faces):
            return np.zeros((0, self.dimension or 0), dtype=np.float32)
        try:
            output = in_fixed_batches(self._run, faces, self.batch)
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise failed(self.id, error, len(faces)) from error
        vectors = as_embeddings(self.id, output, len(faces))
        self.dimension = vectors.shape[1]
        return vectors

    @abstractmethod
    def _run(self, faces: NDArray[np.uint8]) -> NDArray[Any]:
        """The network's own output for faces."""


def check_faces(faces: NDArray[np.uint8], size: tuple[int, int]) -> None:
    """ValueError where faces are not uint8 N×height×width×3 in the model's size."""
    if faces.dtype != np.uint8 or faces.ndim != 4 or faces.shape[1:] != (*size, 3):
        raise ValueError(
            f"faces must be uint8 N×{size[0]}×{size[1]}×3, not {faces.dtype} {faces.shape}"
        )


def as_embeddings(model: str, output: NDArray[Any], faces: int) -> NDArray[np.float32]:
    """A network's output as float32 N×D; axes of length 1 after the second are dropped.

    UserError names the model where the shape is another or where embeddings are NaN or infinite.
    """
    if output.ndim > 2 and all(length == 1 for length in output.shape[2:]):
        output = output.reshape(output.shape[:2])
    if output.ndim != 2 or output.shape[0] != faces or output.dtype.kind != "f":
        raise UserError(
            f"model {model} gave {output.dtype} {'×'.join(map(str, output.shape))} for {faces} "
            "faces; an embedding model gives one row of floats per face"
        )
    if output.shape[1] == 1:
        raise UserError(
            f"model {model} gave one number per face, which is no embedding; choose another of its "
            "outputs with --output-name"
        )
    with np.errstate(over="ignore"):
        vectors = np.ascontiguousarray(output, dtype=np.float32)
    broken = int((~np.isfinite(vectors).all(axis=1)).sum())
    if broken:
        kind = "NaN" if np.isnan(vectors).any() else "infinite values"
        raise UserError(
            f"model {model} gave {kind} for {broken} of {faces} faces; check its weights, its "
            "mean and scale, or use --precision float32"
        )
    return vectors


def in_fixed_batches(
    run: Callable[[NDArray[Any]], NDArray[Any]], inputs: NDArray[Any], batch: int | None
) -> NDArray[Any]:
    """Outputs for inputs (N first) of a network that takes ``batch`` rows only; None: any number.

    The last batch is filled up by repeating its last row, which is not returned.
    """
    n = len(inputs)
    if batch is None or n == batch:
        return run(inputs)
    outputs = []
    for start in range(0, n, batch):
        part = inputs[start : start + batch]
        missing = batch - len(part)
        if missing:
            part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        out = run(part)
        if out.ndim == 0 or len(out) != batch:
            return out  # the wrong shape is reported by who asked
        outputs.append(out[: batch - missing])
    return np.concatenate(outputs)


def failed(model: str, error: BaseException, faces: int) -> UserError:
    """A model that users bring broke on a batch: the error's cause."""
    if isinstance(error, SystemExit):
        return UserError(f"model {model} failed on {faces} faces: {ended_by(error)}; take that out")
    return UserError(
        f"model {model} failed on {faces} faces: {type(error).__name__}: {cause(error)}; check "
        "--size, --batch and the model's input"
    )


_OF_ONNX = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |(?<=node\.) Name:'.*?(?=Status)|Status Message: "
    r"|/\S+:\d+ (?:.* was false\. )?"
)
_RAISED = re.compile(r"^(?:[\w.]+\.)?(?:Runtime|(\w*))(?:Error|Exception): ", re.M)


def cause(error: BaseException) -> str:
    """What went wrong, in one line: the first of a text, without the places in its source that ONNX
    Runtime tells, or what follows the stack of calls that TorchScript tells first.
    """
    text = str(error).strip()
    if text.startswith("[ONNXRuntimeError]"):
        return shortened(_OF_ONNX.sub(" ", text))
    if "TorchScript interpreter" in text.partition("\n")[0]:
        raised = list(_RAISED.finditer(text))
        if raised:
            last = raised[-1]
            return shortened(text[last.start() if last[1] else last.end() :])
    return shortened(text.partition("\n")[0]) or "it says no more"


def shortened(text: str, most: int = 200) -> str:
    """The text of an error of a library as one line that does not end within a word."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rsplit(' ', 1)[0]} …"
