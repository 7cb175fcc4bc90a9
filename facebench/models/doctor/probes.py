"""What a network does to a few faces, whatever its accuracy is: no pair is needed for these."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.models.doctor.findings import Mistake
from facebench.models.doctor.trial import normalisations
from facebench.models.embedders.base import CheckedEmbedder, Embedder, unit
from facebench.models.embedders.onnx import OnnxEmbedder, OwnNormalisation

_FACES = 7
_USUAL, _OTHERS = (1, 2, _FACES), (4, 8, 16, 32, 64)  # faces in a batch
_OF_TRAINING = "Expected more than 1 value per channel when training"  # torch's words
_SAME = 1e-3  # of the length of an embedding: what another order of sums may make of it
_IGNORED = 1e-4  # likewise, between faces that have nothing in common
_ONE = 1e-3  # by which sums of probabilities may miss one


@dataclass(frozen=True)
class Probed:
    """What was seen. own: what the graph does to its input first; facts: what is no mistake."""

    mistakes: tuple[Mistake, ...]
    facts: tuple[str, ...]
    own: OwnNormalisation | None = None
    useless: bool = False


def probe(network: Embedder, faces: NDArray[np.uint8]) -> Probed:
    """Look at a network by at least seven faces, uint8 N×H×W×3 RGB.

    useless: no search can tell anything of it. A torch network that turns out to take one number of
    faces only is given that many from now on. UserError: it fails on batches of any size.
    """
    faces = faces[:_FACES]
    facts: list[str] = []
    mistakes, taken = _batches(network, faces)
    if taken != _USUAL and isinstance(network, CheckedEmbedder) and network.batch is None:
        network.batch = taken[-1]
    vectors = network.forward(faces)
    again = network.forward(faces)
    random = _apart(vectors, again) > _SAME
    if random:
        mistakes.append(
            Mistake(
                "dropout in training mode",
                f"the same {_FACES} faces gave other embeddings in a second pass (they differ by "
                f"{_apart(vectors, again):.1%} of their length)",
                "call .eval() before it is exported, and let no layer draw at random",
            )
        )
    elif getattr(network, "batch", None) is None and not mistakes:
        mistakes += _company(network, faces, vectors)
    constant = _ignores(network, vectors)
    if constant:
        mistakes.append(constant)
    facts += _outputs(vectors)
    mistakes += _kinds(vectors)
    own = network.file.normalisation if isinstance(network, OnnxEmbedder) else None
    return Probed(tuple(mistakes), tuple(facts), own, constant is not None)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The largest difference of two rows over their length."""
    lengths = np.maximum(np.linalg.norm(one, axis=1), 1e-12)
    return float((np.linalg.norm(one - other, axis=1) / lengths).max())


def _batches(network: Embedder, faces: NDArray[np.uint8]) -> tuple[list[Mistake], tuple[int, ...]]:
    """What is wrong with batches, and the numbers of faces that the network took."""
    advice = "export it with a batch of any size (dynamic_axes, dynamic_shapes)"
    fixed = getattr(network, "batch", None)
    if fixed is not None:
        text = f"it takes {fixed} face{'s' * (fixed != 1)} at a time and no other number"
        return [Mistake("fixed batch", f"{text} (facebench fills up)", advice)], (fixed,)
    why = {number: _refusal(network, faces, number) for number in _USUAL}
    if not any(why.values()):
        return [], _USUAL
    if all(why.values()):
        why |= {number: _refusal(network, faces, number) for number in _OTHERS}
    taken = tuple(number for number, text in why.items() if not text)
    if not taken:
        raise UserError(why[_USUAL[0]])
    failed = [number for number in _USUAL if why[number]]
    if any(_OF_TRAINING in why[number] for number in failed):
        return [_learning("it refuses a face alone, which only a network in training does")], taken
    text = f"it fails on batches of {' and '.join(map(str, failed))} ({why[failed[0]]})"
    return [Mistake("fixed batch", text, advice)], taken


def _refusal(network: Embedder, faces: NDArray[np.uint8], number: int) -> str:
    """Why a network does not take so many faces; empty: it does."""
    try:
        network.forward(np.resize(faces, (number, *faces.shape[1:])))
    except UserError as error:
        return str(error)
    return ""


def _learning(text: str) -> Mistake:
    return Mistake(
        "batch normalisation in training mode", text, "call .eval() before it is exported"
    )


def _company(
    network: Embedder, faces: NDArray[np.uint8], vectors: NDArray[np.float32]
) -> list[Mistake]:
    """Whether the first face has another embedding beside others than alone."""
    alone = network.forward(faces[:1])
    pair = network.forward(np.stack([faces[0], faces[-1]]))[:1]
    found = max(_apart(vectors[:1], alone), _apart(vectors[:1], pair))
    if found <= _SAME:
        return []
    text = f"a face has another embedding beside other faces (it differs by {found:.1%})"
    return [_learning(text)]


def _ignores(network: Embedder, vectors: NDArray[np.float32]) -> Mistake | None:
    """Whether faces, noise, black and white have one embedding, however they are prepared."""
    height, width = network.preprocessing.size
    rng = np.random.default_rng(0)
    shown = np.zeros((_FACES, height, width, 3), np.uint8)
    shown[1] = 255
    shown[2:] = rng.integers(0, 256, shown[2:].shape, dtype=np.uint8)
    seen = [vectors]
    for mean, scale in normalisations():
        other = network.prepared_as(replace(network.preprocessing, mean=mean, scale=scale))
        with suppress(UserError):  # what is far out of range may overflow
            seen.append((other or network).forward(shown))
    if max(_apart(one, np.repeat(one[:1], len(one), axis=0)) for one in seen) > _IGNORED:
        return None
    return Mistake(
        "ignores its input",
        f"{_FACES} faces, black, white and noise all have the same embedding",
        "check that its weights were loaded, that no layer is all zero, and which output it gives",
    )


def _outputs(vectors: NDArray[np.float32]) -> list[str]:
    norms = np.linalg.norm(vectors, axis=1)
    low, high = float(norms.min()), float(norms.max())
    facts = [f"its embedding has {vectors.shape[1]:,} numbers"]
    if abs(low - 1) < _ONE and abs(high - 1) < _ONE:
        return [f"{facts[0]}, of unit length"]
    return [
        f"{facts[0]}, of length {low:.3g} to {high:.3g}: cosine does not mind; a product or an "
        "Euclidean distance needs them normalised"
    ]


def _kinds(vectors: NDArray[np.float32]) -> list[Mistake]:
    """Probabilities of classes, and what is never above zero."""
    if (vectors >= 0).all() and np.abs(vectors.sum(1) - 1).max() < _ONE:
        return [
            Mistake(
                "not the embedding",
                f"the {vectors.shape[1]:,} numbers of a face are shares that sum to one: "
                "probabilities of classes",
                "take the layer before the classifier, or another output with --output-name",
            )
        ]
    if (vectors <= 0).all() and (unit(vectors) < -_ONE).any():
        return [
            Mistake(
                "negated outputs",
                "no number of any embedding is above zero",
                "take the sign out: cosine does not mind it, a metric that was learned does",
            )
        ]
    return []
