"""Curves of canonical points by name, projected onto the canvas in one go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facebench.faces.synthetic.drawing import Fixed, fixed
from facebench.faces.synthetic.geometry import Pose

Array = NDArray[np.float64]


class Sketch:
    """Curves by name: add canonical points, project them together, take fixed canvas points."""

    def __init__(self, start: Sketch | None = None) -> None:
        """An empty sketch, or one that goes on from another."""
        self._at: dict[str, slice] = {}
        self._x: list[Array] = []
        self._y: list[Array] = []
        self._above: list[float] = []
        self._sizes: list[int] = []
        self._count = 0
        self._fixed: Fixed = np.empty((0, 2), dtype=np.int32)
        if start is not None:
            self._at.update(start._at)
            self._x += start._x
            self._y += start._y
            self._above += start._above
            self._sizes += start._sizes
            self._count = start._count

    def add(self, name: str, x: Array, y: Array, above: float = 0.0) -> None:
        """Add a curve that lies so far above the relief."""
        size = len(x)
        self._at[name] = slice(self._count, self._count + size)
        self._extend(x, y, size, above)

    def add_pair(self, name: str, x: Array, y: Array, above: float = 0.0) -> None:
        """Add 2 x N points: a curve left and one right, by the name with l and with r."""
        size, start = x.shape[1], self._count
        self._at[name + "l"] = slice(start, start + size)
        self._at[name + "r"] = slice(start + size, start + 2 * size)
        self._extend(x.ravel(), y.ravel(), 2 * size, above)

    def _extend(self, x: Array, y: Array, size: int, above: float) -> None:
        self._count += size
        self._x.append(x)
        self._y.append(y)
        self._above.append(above)
        self._sizes.append(size)

    def joined(self) -> Sketch:
        """The same curves, faster to go on from."""
        out = Sketch(self)
        out._x, out._y = [np.concatenate(self._x)], [np.concatenate(self._y)]
        return out

    def project(self, pose: Pose) -> None:
        """Project all curves onto the canvas."""
        points = np.empty((self._count, 2))
        np.concatenate(self._x, out=points[:, 0])
        np.concatenate(self._y, out=points[:, 1])
        self._fixed = fixed(pose.project(points, np.repeat(self._above, self._sizes)))

    def pair(self, name: str) -> Fixed:
        """2 x N x 2: a curve left and right."""
        left, right = self._at[name + "l"], self._at[name + "r"]
        return self._fixed[left.start : right.stop].reshape(2, -1, 2)

    def __contains__(self, name: str) -> bool:
        return name in self._at

    def __getitem__(self, name: str) -> Fixed:
        return self._fixed[self._at[name]]
