"""Networks that see regions of the face, alone and as an ensemble of concatenated features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.models.embedders.base import UNPINNED, Embedder, Preprocessing, check_faces, unit
from facebench.models.regions import Faces, Region, cut

Vectors = NDArray[np.float32]


class RegionEmbedder(Embedder):
    """A network that sees one region, as an embedder of the whole canvas.

    The canvas is mirrored before the region is cut: for the mirrored face a network of the left eye
    sees the right eye, mirrored. UserError where the network does not take the region's size.
    """

    def __init__(self, network: Embedder, region: Region) -> None:
        prepared = network.preprocessing
        if prepared.size != region.size:
            (height, width), (tall, wide) = region.size, prepared.size
            raise UserError(
                f"model {network.id}: takes {tall}x{wide} faces, but its region gives "
                f"{height}x{width}; correct the region's size"
            )
        self.network, self.region = network, region
        self.id, self.weights_hash = network.id, network.weights_hash
        self.precision, self.device = network.precision, network.device
        self.runtime, self.storable = network.runtime, network.storable
        self.preprocessing = replace(prepared, size=region.canvas)
        self.variant = region_variant(network.variant, region)

    def forward(self, faces: Faces) -> Vectors:
        """One pass of the network: uint8 N×H×W×3 RGB canvases → float32 N×D."""
        check_faces(faces, self.region.canvas)
        return self.network.forward(cut(faces, self.region))


class EnsembleEmbedder(Embedder):
    """Several region networks as one embedder: their unit features, concatenated.

    A canvas uint8 N×H×W×3 becomes float32 N×ΣD. Every member has its features under its own
    preprocessing and the common flip rule, scaled to unit length, so that the cosine of two faces
    is the mean of the members' cosines. ``weights_hash`` covers the members' weights, regions and
    preprocessing, in order. UserError where canvases or flip rules differ.

    Source: Sun, Wang, Tang 2015, Section 5.5 (25 networks, features combined).
    """

    def __init__(self, id: str, members: Sequence[RegionEmbedder]) -> None:
        self.id, self.members = id, tuple(members)
        first = members[0]
        for member in members[1:]:
            ours, theirs = first.preprocessing, member.preprocessing
            if (ours.size, ours.flip) != (theirs.size, theirs.flip):
                raise UserError(
                    f"model {id}: its members {first.id} and {member.id} differ in canvas or flip "
                    f"rule ({ours.flip}, {theirs.flip}); give one rule with --flip"
                )
        self.preprocessing = first.preprocessing
        self.precision, self.device = first.precision, first.device
        self.runtime = " ".join(sorted({member.runtime for member in members} - {""}))
        self.variant = f"ensemble={len(members)}"
        self.storable = all(member.storable for member in members)
        pinned = all(member.weights_hash != UNPINNED for member in members)
        told = [(member.weights_hash, member.variant, member.preprocessing) for member in members]
        self.weights_hash = ensemble_hash(told) if pinned else UNPINNED

    def forward(self, faces: Faces) -> Vectors:
        """One pass of every network, no flip: uint8 N×H×W×3 RGB canvases → float32 N×ΣD."""
        return np.concatenate([unit(member.forward(faces)) for member in self.members], axis=1)

    def embed(self, faces: Faces) -> Vectors:
        """Unit features of every member under the flip rule: uint8 N×H×W×3 → float32 N×ΣD."""
        return np.concatenate([unit(member.embed(faces)) for member in self.members], axis=1)


def region_variant(variant: str, region: Region) -> str:
    """The variant of a network of that variant which sees a region."""
    return f"{variant} region={region.signature}".lstrip()


def ensemble_hash(members: Iterable[tuple[str, str, Preprocessing]]) -> str:
    """SHA-256 of members in order: of each the hash of its weights, its variant and how canvases
    are prepared.
    """
    digest = hashlib.sha256()
    for weights, variant, preprocessing in members:
        # The flip rule and the precision have their own places in a signature.
        prepared = replace(preprocessing, flip="none").signature
        digest.update(f"{weights} {variant} {prepared}\n".encode())
    return digest.hexdigest()
