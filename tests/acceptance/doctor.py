"""What doctor says of planted mistakes, on the faces of lfw-mini; it fails where that is not right.

    python -m tests.acceptance.doctor docs/tables/doctor.csv ../shared/data [NETWORK]

Two networks, MobileFaceNet as an ONNX session and one of the zoo, stand in a module that does the
one thing wrong. What a network gave for an input, and how a face was cut, is remembered from one
mistake to the next, so that the seconds of a network's first row alone are of a whole search.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facebench.models.doctor import diagnose as module
from facebench.models.doctor.crops import FaceCrops
from facebench.models.doctor.diagnose import Diagnosis, diagnose
from facebench.models.embedders.base import unit
from facebench.models.embedders.onnx import OnnxFile
from facebench.models.embedders.options import NORMALISE, ModelOptions
from facebench.models.zoo import load_network
from facebench.similarity import Cosine

ZOO = "sparse_012"
NO_END = 1e9  # seconds
RAW: dict[str, Any] = {"normalise": None, "mean": (0.0,) * 3, "scale": (1.0,) * 3}
Run = Callable[[Tensor], Tensor]


@dataclass
class Network:
    """A network, with what is right for it, and what it gave for the inputs that it has seen."""

    name: str
    run: Run
    size: tuple[int, int]
    normalise: str
    flip: str
    seen: dict[bytes, Tensor] = field(default_factory=dict)

    def __call__(self, faces: Tensor) -> Tensor:
        keys = [blake2b(face.numpy().tobytes()).digest() for face in faces.contiguous()]
        new = [row for row, key in enumerate(keys) if key not in self.seen]
        if new:
            made = self.run(faces[new].contiguous())
            self.seen |= {keys[row]: vector for row, vector in zip(new, made, strict=True)}
        return torch.stack([self.seen[key] for key in keys])

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self  # `load_model` copies what it is given

    def bounds(self, unit: float = 1.0) -> list[Tensor]:
        """Mean and scale of pixels of 0 to 255 / unit."""
        return [torch.tensor(v).reshape(1, 3, 1, 1) / unit for v in NORMALISE[self.normalise]]


def teacher(file: Path) -> Network:
    onnx = OnnxFile(file)

    def run(faces: Tensor) -> Tensor:
        found = onnx.session.run([onnx.output], {onnx.input: faces.numpy()})[0]
        return torch.from_numpy(found).flatten(1)

    return Network("mobilefacenet.onnx", run, (112, 112), "imagenet", "normalised-add")


def of_the_zoo(name: str) -> Network:
    net = load_network(name).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(faces: Tensor) -> Tensor:
        found: Tensor = net(faces.to(memory_format=torch.channels_last))
        return found

    return Network(name, run, (112, 96), "arcface", "add")


def with_random_weights(network: Network) -> Network:
    """As wide and as deep as an untrained one: pixels, filtered by noise and rectified twice."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 32, 7, 4), nn.ReLU(), nn.Conv2d(32, 64, 5, 3), nn.ReLU(),
        nn.Conv2d(64, 128, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    ).eval()  # fmt: skip
    return Network(network.name, net, network.size, network.normalise, network.flip)


class Planted(nn.Module):
    """A network with something wrong before or after it."""

    def __init__(self, network: Network, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, faces: Tensor) -> Any:
        if self.kind == "alone" and len(faces) != 1:
            raise ValueError("one face at a time")
        return self.after(self.network(self.before(faces)), faces)

    def before(self, faces: Tensor) -> Tensor:
        if self.kind in ("own", "shares"):
            mean, scale = self.network.bounds(255 if self.kind == "shares" else 1)
            return (faces - mean) / scale
        if self.kind == "margin":  # it takes 8 of 112 pixels more on every side
            height, width = self.network.size
            wide = (round(height * 128 / 112), round(width * 128 / 112))
            faces = nn.functional.interpolate(faces, wide, mode="bilinear", antialias=True)
            top, left = (wide[0] - height) // 2, (wide[1] - width) // 2
            return faces[:, :, top : top + height, left : left + width]
        return faces * 0 if self.kind == "constant" else faces

    def after(self, found: Tensor, faces: Tensor) -> Any:
        if self.kind == "drop":
            return nn.functional.dropout(found, 0.3, training=True)
        if self.kind == "norm":
            return found - (found.mean(0, keepdim=True) if len(found) > 1 else 0)
        if self.kind == "negated":
            return -found.relu()
        if self.kind == "long":  # the brighter a face, the longer its embedding
            return found * (2 * faces.mean((1, 2, 3))).exp()[:, None]
        if self.kind == "map":
            return nn.functional.adaptive_avg_pool2d(faces, 4).flatten(1), found
        return found


def distances(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    rows = unit(vectors)
    return np.asarray(np.linalg.norm(rows[left] - rows[right], axis=1), np.float64)


def products(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", vectors[left], vectors[right]), np.float64)


@dataclass(frozen=True)
class Case:
    """planted: in words; kind: of `Planted`; expected: what doctor has to say; also: what it may
    say beside it; untold: networks whose scores it changes by less than 600 pairs tell.
    """

    planted: str
    expected: str
    kind: str = "right"
    options: dict[str, Any] = field(default_factory=dict)
    align: str = "auto"
    score: Any = field(default_factory=lambda: Cosine().pairs)
    also: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    def right(self, network: str, found: Diagnosis) -> bool:
        """Whether doctor said what it had to."""
        if self.expected == UNKNOWN or network in self.untold:
            return said(found) == (NOTHING if network in self.untold else UNKNOWN)
        causes = {mistake.cause for mistake in found.mistakes} or {NOTHING}
        return self.expected in causes <= {self.expected, *self.also}


NOTHING, UNKNOWN = "nothing wrong", "cannot tell"
CASES = (
    Case("nothing", NOTHING),
    Case("card says bgr", "red and blue exchanged", options={"colour": "bgr"}),
    Case("network normalises, too", "normalised twice", "own"),
    Case("pixels of 0 to 255", "pixels of 0..255 where 0..1 was meant", "shares", RAW),
    Case(
        "products of long and short embeddings",
        "outputs not normalised",
        "long",
        options={"flip": "none"},  # some rules for the mirrored face divide by the length
        score=products,
    ),
    Case("embedding times -1 after a ReLU", "negated outputs", "negated"),
    Case("Euclidean distances", "distances for similarities", score=distances),
    Case("one face at a time", "fixed batch", "alone"),
    Case("first output is a small image", "not the embedding", "map"),
    Case("dropout at work", "dropout in training mode", "drop"),
    Case("mean of the batch taken off", "batch normalisation in training mode", "norm"),
    Case("input times 0", "ignores its input", "constant"),
    Case("random weights", UNKNOWN, "random"),
    Case("--align centre", "wrong alignment", align="centre"),
    # It resamples what it is given, so that it gains by larger faces, too.
    Case(
        "network of crops with a margin",
        "wrong crop",
        "margin",
        also=("wrong size",),
        untold=(ZOO,),
    ),
)


def said(found: Diagnosis) -> str:
    if found.cannot_tell and not found.mistakes:
        return UNKNOWN
    return "; ".join(sorted(mistake.cause for mistake in found.mistakes)) or NOTHING


class Remembering(FaceCrops):
    """Crops that outlive a search."""

    cut: dict[Any, Any] = {}  # noqa: RUF012 (of all, on purpose)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._cut = self.cut


def examined(network: Network, case: Case, faces: Path) -> Diagnosis:
    own = with_random_weights(network) if case.kind == "random" else network
    options: dict[str, Any] = {
        "size": network.size, "colour": "rgb", "normalise": network.normalise, "flip": network.flip
    }  # fmt: skip
    return diagnose(
        Planted(own, case.kind),
        faces,
        case.score,
        options=ModelOptions(**(options | case.options)),
        align=case.align,
        budget=NO_END,
    )


def main(table: Path, shared: Path, only: list[str]) -> int:
    file = shared / "teacher" / "mobilefacenet.onnx"
    made = {ZOO: lambda: of_the_zoo(ZOO), file.name: lambda: teacher(file)}
    wrong = 0
    setattr(module, "FaceCrops", Remembering)  # noqa: B010 (mypy minds the other way)
    for name in only or made:
        network = made[name]()
        for row, case in enumerate(CASES):
            before, began = time.process_time(), time.perf_counter()
            found = examined(network, case, shared / "lfw-mini")
            seconds, wall = time.process_time() - before, time.perf_counter() - began
            right = case.right(name, found)
            wrong += not right
            print(
                f"{'ok' if right else 'NO':3}{name:24}{case.planted:40}{said(found):40}"
                f"{found.looked:4}{found.pairs:4} {seconds:.0f} s {wall:.0f} s",
                *([] if right else [*found.mistakes, found.cannot_tell, *found.shown]),
                sep="\n     ",
                flush=True,
            )
            write(table, name, case.planted, said(found))
            if row == 0:
                write(table, name, "(processor seconds of the first row)", f"{seconds:.0f}")
    return wrong


def write(table: Path, network: str, planted: str, text: str) -> None:
    """Put what was said into the table, which keeps the rest of what it says."""
    rows: dict[str, dict[str, str]] = {}
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            rows = {row["planted"]: row for row in csv.DictReader(file)}
    rows.setdefault(planted, {"planted": planted})[network] = text
    names = sorted({name for row in rows.values() for name in row} - {"planted"}, reverse=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["planted", *names], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows.values(), key=lambda row: row["planted"].startswith("(")))


if __name__ == "__main__":
    with torch.no_grad():
        sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
