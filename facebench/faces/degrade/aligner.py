"""Aligned crops, degraded at the model's size: the face was found in the image as it is."""

from __future__ import annotations

from facebench.faces.degrade.kernels import as_jpeg, blurred, darkened, reduced
from facebench.faces.degrade.names import JOIN, Degradation, DegradationStep
from facebench.faces.types import Aligner, Image


def degraded(crop: Image, degradation: Degradation) -> Image:
    """A crop, uint8 H×W×3, after all steps in their order, uint8 H×W×3."""
    for step in degradation.steps:
        crop = _after(step, crop)
    return crop


def _after(step: DegradationStep, crop: Image) -> Image:
    if step.kind == "px":
        return reduced(crop, int(step.value))
    if step.kind == "jpeg":
        return as_jpeg(crop, int(step.value))
    return blurred(crop, step.value) if step.kind == "blur" else darkened(crop, step.value)


class DegradedAligner(Aligner):
    """Another rule's crops, degraded; said: what progress bars add to the data's name."""

    def __init__(self, inner: Aligner, degradation: Degradation) -> None:
        self.inner, self.degradation = inner, degradation
        self.said = f"{JOIN}{degradation.crop_name}"
        self.signature = f"{inner.signature}{self.said}"
        self.remarks = inner.remarks

    def __call__(self, key: str, image: Image, size: tuple[int, int]) -> Image | None:
        """One face, uint8 height×width×3 RGB, or None: it could not be acquired."""
        crop = self.inner(key, image, size)
        return None if crop is None else degraded(crop, self.degradation)
