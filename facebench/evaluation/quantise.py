"""The job of ``facebench quantise --calibrate``: a model as an ONNX file that computes in int8."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError, nearest
from facebench.base.progress import Stage, unseen
from facebench.base.storage import temporary_folder, write_together
from facebench.base.validation import validated
from facebench.evaluation.export import made_beside
from facebench.evaluation.others import OtherFaces, names_in
from facebench.faces.align.aligners import TemplateCrop
from facebench.faces.synthetic import RENDERER_VERSION, training_faces
from facebench.faces.types import ImageError
from facebench.models.cards.card import (
    Calibration,
    ModelCard,
    PreprocessingFields,
    is_name,
    read_card,
)
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import card_bytes
from facebench.models.cards.sweep import NamedModel, swept
from facebench.models.embedders.base import Embedder, in_fixed_batches
from facebench.models.embedders.onnx import OnnxEmbedder
from facebench.models.embedders.options import ModelOptions
from facebench.models.export import plain_network, program_bytes, program_card
from facebench.models.weights.external import whole_onnx
from facebench.models.weights.static import METHODS, Method, require_quantiser, static_bytes
from facebench.models.zoo import load_model

SYNTHETIC = "synthetic"
FACES, SEED = 512, 0
_OPTION, _BATCH, _COMPARED = "--calibrate", 8, 64


@dataclass(frozen=True)
class StaticModel:
    """What `quantise_static` wrote.

    before, after: bytes of the float32 graph and of the file; own: of the model's own weights,
    None: it has no file. cosines: float64, of the same calibration face's embedding by the model
    and by the file, of the first few.
    """

    card: ModelCard
    before: int
    after: int
    own: int | None
    cosines: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CalibrationFaces:
    """Aligned faces, uint8 N×H×W×3 RGB. label: by their contents; people: by name, or nobody."""

    crops: NDArray[np.uint8]
    label: str
    people: tuple[str, ...] = ()


def quantise_static(
    model: str,
    faces: str | Path,
    out: Path | None = None,
    *,
    number: int = FACES,
    method: Method = "minmax",
    seed: int = SEED,
    reduce_range: bool = False,
    weights: str | None = None,
    options: ModelOptions | None = None,
    overwrite: bool = False,
    stage: Stage = unseen,
) -> StaticModel:
    """Write a model as an ONNX file that computes in int8, and a card beside it.

    Parameters
    ----------
    model : str
        As of `facebench.load_model`: a network of the zoo, ``package.module:factory``, or an ONNX
        file.
    faces : str or path
        A folder per person, ``landmarks.txt`` in it, or of aligned crops; an index of zip files; or
        ``synthetic``. The ranges of activations are taken from these, so they must not be faces
        of a test; `facebench.evaluate` refuses people of both, by name.
    out : path, optional
        The file; by default MODEL_static_int8.onnx in the working directory.
    number : int, optional
        How many of the faces, drawn by ``seed``; all, where there are fewer.
    method : {'minmax', 'entropy', 'percentile'}, optional
        How a range follows from what is seen.
    reduce_range : bool, optional
        Weights in 7 bits, for processors without VNNI.
    weights : str, optional
        A file of weights for the factory.
    options : ModelOptions, optional
        Override the model's card, and are written into the new one.
    overwrite : bool, optional
        Replace a file that is there.
    stage : callable, optional
        Shows progress, as of `facebench.base.progress.stages`.

    Returns
    -------
    StaticModel

    Raises
    ------
    UserError
        No ONNX Runtime, a model that is no single network, faces that cannot be used, a file that
        is there.
    """
    _check(number, method, seed)
    given = swept([NamedModel(None, model)], weights)
    if len(given) > 1:
        raise UserError(f"--weights {weights}: are {len(given)} files; quantise them one by one")
    spec = given[0].spec
    card = card_for(spec)
    path = made_beside(card.name, out, "static_int8.onnx", "a file that computes in int8")
    place = path.with_suffix(".toml")
    if not overwrite and (there := next((p for p in (path, place) if p.exists()), None)):
        raise UserError(f"{there} is there already; add --overwrite, or choose another --out")
    require_quantiser(card.name)
    with temporary_folder() as folder:
        source, data = _as_graph(spec, card, options, folder)
        shown = calibration_faces(faces, source.preprocessing.size, number, seed)
        inputs = _batches(source, shown.crops)
        step = stage("calibrating", len(inputs))
        made = static_bytes(card.name, data, source.file.input, inputs, method, reduce_range, step)
        known = Calibration(
            faces=shown.label,
            images=len(shown.crops),
            method=method,
            seed=seed,
            people=shown.people,
        )
        fields = _fields(card, source, path, made, known, reduce_range, options)
        new = validated(ModelCard, fields, str(place))
        files = {path: made, place: card_bytes(new, place)}
        for target, content in files.items():
            (folder / target.name).write_bytes(content)
        other = load_model(str(folder / path.name))
        cosines = _cosines(source, other, shown.crops[:_COMPARED])
    write_together(files)
    own = card.weights_path
    size = None if own is None or not own.is_file() else own.stat().st_size
    return StaticModel(read_card(place), len(data), len(made), size, cosines)


def calibration_faces(
    faces: str | Path, size: tuple[int, int], number: int, seed: int
) -> CalibrationFaces:
    """At most so many faces of a folder, or rendered ones, drawn by a seed and cut to a size.

    UserError: no such folder, or an image in which no face can be cut out.
    """
    crop = TemplateCrop()
    if str(faces) == SYNTHETIC:
        drawn, _ = training_faces(seed, range(number), range(1))
        crops = [crop("", face, size) for face in drawn]
        return CalibrationFaces(np.stack(crops), f"synthetic-people-v{RENDERER_VERSION}-s{seed}")
    others = OtherFaces.named(_OPTION, Path(faces))
    rows = sorted(np.random.default_rng(seed).permutation(len(others.keys))[:number])
    keys = [others.keys[row] for row in rows]
    cut = []
    for key in keys:
        try:
            face = others.aligner(key, others.source.read(key), size)
        except ImageError as error:
            raise UserError(f"{_OPTION} {faces}: cannot read {error}") from None
        if face is None:
            raise UserError(f"{_OPTION} {faces}: no face can be cut out of {key}; take it out")
        cut.append(face)
    people = names_in(others.people[row] for row in rows)
    return CalibrationFaces(np.stack(cut), others.source.label(keys), people)


def _check(number: int, method: str, seed: int) -> None:
    if method not in METHODS:
        hint = nearest(method, METHODS)
        raise UserError(f"--method {method!r}: not one of {', '.join(METHODS)}{hint}")
    for option, value, least in (("--faces", number, 1), ("--seed", seed, 0)):
        if value < least:
            raise UserError(f"{option} is {value}; it must be at least {least}")


def _as_graph(
    spec: str, card: ModelCard, options: ModelOptions | None, folder: Path
) -> tuple[OnnxEmbedder, bytes]:
    """A model as a float32 ONNX graph, ready to embed, and the graph's bytes."""
    if card.architecture == "onnx":
        embedder = load_model(spec, options)
        assert isinstance(embedder, OnnxEmbedder)
        return embedder, whole_onnx(embedder.file.path).data
    plain = plain_network(spec, options)
    data = program_bytes(plain, "onnx", grouped=True)
    file = folder / "float32.onnx"
    file.write_bytes(data)
    own = program_card(plain, "onnx", file.name, hashlib.sha256(data).hexdigest())
    place = file.with_suffix(".toml")
    place.write_bytes(card_bytes(own, place))
    embedder = load_model(str(file))
    assert isinstance(embedder, OnnxEmbedder)
    return embedder, data


def _batches(source: OnnxEmbedder, crops: NDArray[np.uint8]) -> list[NDArray[Any]]:
    """The graph's inputs, of a few faces each, or of as many as it takes."""
    found: list[NDArray[Any]] = []

    def kept(faces: NDArray[Any]) -> NDArray[Any]:
        found.append(source.prepared(faces))
        return faces

    if source.batch is not None:
        in_fixed_batches(kept, crops, source.batch)
        return found
    for start in range(0, len(crops), _BATCH):
        kept(crops[start : start + _BATCH])
    return found


def _fields(
    card: ModelCard,
    source: OnnxEmbedder,
    path: Path,
    made: bytes,
    calibration: Calibration,
    reduce_range: bool,
    options: ModelOptions | None,
) -> dict[str, Any]:
    prepared, said = source.preprocessing, options or ModelOptions()
    bits = "7 bits" if reduce_range else "int8"
    fields = {
        "name": path.stem,
        "title": f"{card.title}, static int8"[:200],
        "architecture": "onnx",
        "parent": card.name if is_name(card.name) and card.path.is_file() else None,
        "licence": card.licence,
        "weights": path.name,
        "sha256": hashlib.sha256(made).hexdigest(),
        "notes": f"Quantised from {card.name} by {source.runtime}: QDQ, weights in {bits} with a "
        "scale for each output channel, activations in uint8, ranges as [calibration] says.",
        "preprocessing": PreprocessingFields.of(prepared).model_dump(),
        "training": card.training.model_dump(),
        "calibration": calibration.model_dump(),
    }
    if card.architecture == "onnx":
        fields |= {"layout": said.layout or card.layout, "output": said.output or card.output}
    return {name: value for name, value in fields.items() if value is not None}


def _cosines(one: Embedder, other: Embedder, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of the same face's embeddings by two models, float64 N."""
    rows = [model.embed(faces).astype(np.float64) for model in (one, other)]
    lengths = [np.linalg.norm(row, axis=1) for row in rows]
    return np.asarray((rows[0] * rows[1]).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-30))
