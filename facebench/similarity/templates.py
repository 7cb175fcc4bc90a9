"""Embeddings as a gallery keeps them, in fewer bytes a face: fp16, int8, bits, principal axes.

An embedding is encoded to bytes and read back, and what is read back is scored as any embedding is.
So ``fp16`` and ``int8`` serve every similarity. Of bits, read back as -1 and 1, the cosine is
``1 - 2h / D``, h being the Hamming distance of two faces with D numbers each: a whole number of
steps, so equal distances are equal scores, to the bit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest

TemplateCode = Literal["fp32", "fp16", "int8", "binary"]
CODES: tuple[str, ...] = get_args(TemplateCode)
PLAIN = "fp32"
_AXES = re.compile(r"pca-([1-9][0-9]{0,5})(?:\+(.+))?")
_PINNED = re.compile(r"(pca-[0-9]+)\([^)]*\)")
_KNOWN = (*CODES, "pca-64", "pca-64+int8")
_LARGEST = float(np.finfo(np.float16).max)
_STEPS = 127  # of int8 on either side of zero: -128 is left out, so that codes are symmetric
_SCALE = np.dtype("<f4")

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Template:
    """How an embedding is kept. code: of its numbers; axes: onto how many principal axes it is
    projected first, None: none. fp32 without axes is the embedding as the network gives it.
    """

    code: TemplateCode
    axes: int | None = None

    @property
    def name(self) -> str:
        """``int8``, ``pca-64``, ``pca-64+int8``: as users and records write it."""
        if self.axes is None:
            return self.code
        return f"pca-{self.axes}" + (f"+{self.code}" if self.code != PLAIN else "")

    @property
    def plain(self) -> bool:
        """Whether embeddings are kept as the network gives them."""
        return self == Template("fp32")

    def bytes_per_face(self, dimension: int) -> int:
        """Of an embedding of that many numbers."""
        numbers = dimension if self.axes is None else self.axes
        return int(encoded(np.zeros((1, numbers), np.float32), self.code).shape[1])


def template_of(text: str) -> Template:
    """A template by its name, also as records pin it, ``pca-64(...)``. UserError: there is none."""
    name = _PINNED.sub(r"\1", text.strip().lower())
    axes = _AXES.fullmatch(name)
    code = name if axes is None else axes[2] or PLAIN
    if code not in CODES:
        raise UserError(
            f"unknown template {text!r}{nearest(name, _KNOWN)} ({', '.join(CODES)}, pca-K of K "
            "principal axes, or both, as pca-64+int8)"
        )
    return Template(code, None if axes is None else int(axes[1]))  # type: ignore[arg-type]


def templates_of(text: str) -> tuple[Template, ...]:
    """Templates by their names with commas between, each once. UserError: one is not known."""
    return tuple(dict.fromkeys(map(template_of, text.split(","))))


def encoded(vectors: NDArray[np.floating], code: TemplateCode) -> Bytes:
    """The bytes of N embeddings of D numbers, uint8 N×B, little-endian.

    fp32, fp16: each number, rounded; B is 4 D, 2 D. int8: the scale in float32, which is the
    largest magnitude / 127, then each number over it, rounded to the nearest of -127..127 (ties to
    even); B is D + 4. binary: a bit for each number that is above zero, eight to a byte, the first
    in the highest bit; B is ⌈D / 8⌉. UserError: a number is beyond float16.
    """
    rows = np.ascontiguousarray(vectors, np.float32)
    if code == "binary":
        return np.packbits(rows > 0, axis=1)
    if code == "int8":
        scale, steps = _steps(rows)
        return np.hstack([_as_bytes(scale), _as_bytes(steps)])
    if code == "fp16":
        if rows.size and not (worst := float(np.abs(rows).max())) <= _LARGEST:
            raise UserError(
                f"template fp16: an embedding has the number {worst:g}, and float16 ends at "
                f"{_LARGEST:,.0f}; choose int8, which has a scale for each embedding"
            )
        return _as_bytes(rows.astype("<f2"))
    return _as_bytes(rows.astype("<f4"))


def decoded(codes: Bytes, code: TemplateCode, dimension: int) -> NDArray[np.float32]:
    """The embeddings in bytes, float32 N×D: what is scored. binary: -1 and 1."""
    if code == "binary":
        bits = np.unpackbits(codes, axis=1, count=dimension)
        return bits.astype(np.float32) * 2 - 1
    if code == "int8":
        scale = np.ascontiguousarray(codes[:, : _SCALE.itemsize]).view(_SCALE)
        steps = np.ascontiguousarray(codes[:, _SCALE.itemsize :]).view(np.int8)
        return steps.astype(np.float32) * scale
    held = np.dtype("<f2" if code == "fp16" else "<f4")
    return codes.view(held).astype(np.float32)


def kept(vectors: NDArray[np.floating], code: TemplateCode) -> NDArray[np.float32]:
    """Embeddings float N×D as they come back from their bytes, float32 N×D.

    One of zeros stays one: it is a dead network's answer, alike to nobody, and no pattern of bits.
    """
    rows = decoded(encoded(vectors, code), code, vectors.shape[1])
    rows[~np.asarray(vectors).any(axis=1)] = 0
    return rows


def _steps(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Scales N×1 and whole numbers N×D; both 0 where numbers are too small for a scale."""
    exact = rows.astype(np.float64)
    scale = (np.abs(exact).max(axis=1, initial=0, keepdims=True) / _STEPS).astype(_SCALE)
    wide = np.divide(exact, scale, out=np.zeros_like(exact), where=scale > 0)
    return scale, np.clip(np.rint(wide), -_STEPS, _STEPS).astype(np.int8)


def _as_bytes(rows: NDArray[np.floating] | NDArray[np.int8]) -> Bytes:
    return np.ascontiguousarray(rows).view(np.uint8)


@dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """The directions in which embeddings at unit length vary most. mean: float64 D; axes: float64
    K×D, the first varies most.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]

    def project(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Embeddings N×D at unit length, less the mean, on the axes: float32 N×K; zeros stay."""
        rows, norms = _at_unit_length(vectors)
        found = ((rows - self.mean) @ self.axes.T).astype(np.float32)
        found[norms == 0] = 0
        return found


def principal_axes(vectors: NDArray[np.floating], number: int) -> PrincipalAxes:
    """The first axes of embeddings N×D, by the eigenvectors of their covariance.

    ValueError: fewer than that many numbers, or too few embeddings that differ.
    """
    rows, norms = _at_unit_length(vectors)
    rows = rows[norms > 0]
    most = min(rows.shape[1], len(rows) - 1)
    if number > most:
        raise ValueError(
            f"pca-{number} of {len(rows):,} embeddings of {rows.shape[1]} numbers; they have at "
            f"most {max(most, 0)} axes"
        )
    mean = rows.mean(axis=0)
    centred = rows - mean
    values, vectors_of = np.linalg.eigh(centred.T @ centred)
    if values[-number] <= values[-1] * len(values) * np.finfo(np.float64).eps:
        raise ValueError(f"pca-{number}: the embeddings vary in fewer directions")
    return PrincipalAxes(mean, np.ascontiguousarray(vectors_of[:, ::-1][:, :number].T))


def _at_unit_length(
    vectors: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows float64 at unit length, zero where the vector is, and their lengths before."""
    exact = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(exact, axis=1)
    return exact / np.where(norms > 0, norms, 1.0)[:, None], norms
