"""The embedded synthetic set: drawn faces, deterministic from (version, seed, identity, image)."""

from facebench.faces.synthetic.capture import Capture, sample_capture
from facebench.faces.synthetic.identity import Identity, sample_identity
from facebench.faces.synthetic.pool import render_many, training_faces
from facebench.faces.synthetic.render import render, render_jpeg
from facebench.faces.synthetic.seeding import (
    EVALUATION_IDENTITIES,
    RENDERER_VERSION,
    TRAIN_IDENTITIES,
)

__all__ = [
    "EVALUATION_IDENTITIES",
    "RENDERER_VERSION",
    "TRAIN_IDENTITIES",
    "Capture",
    "Identity",
    "render",
    "render_jpeg",
    "render_many",
    "sample_capture",
    "sample_identity",
    "training_faces",
]
