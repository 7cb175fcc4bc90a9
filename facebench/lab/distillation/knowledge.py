"""What a student is taught: a teacher's neurons, chosen or all, or its soft labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facebench.base.errors import UserError
from facebench.lab.data.crops import Sources, TrainingCrops
from facebench.lab.data.sources import TrainingData
from facebench.lab.distillation.selection import (
    FORMULA,
    Energy,
    NeuronStatistics,
    Selection,
    neuron_statistics,
    select_neurons,
)
from facebench.lab.distillation.supervision import (
    TEMPERATURE,
    NeuronSupervision,
    SoftLabelSupervision,
    Targets,
    fit_mean_classifier,
    standardised,
)
from facebench.lab.distillation.teachers import Teachers
from facebench.lab.learning.losses import Supervision

# Faces that the statistics are of, and faces that are disturbed for them.
STATISTICS_FACES, DISTURBED_FACES = 8192, 256
# The targets that each option of a lesson has a part in.
_TARGETS_OF = {
    "neurons": "selected",
    "nuisance_weight": "selected",
    "redundancy_weight": "selected",
    "temperature": "soft-labels",
}


@dataclass(frozen=True)
class Lesson:
    """What is taught, and how it is chosen.

    neurons: how many are selected, None: as many as the student's embedding has; nuisance_weight,
    redundancy_weight: a and b of `neuron_selection.Energy`; temperature: of soft labels.
    """

    targets: Targets = "selected"
    neurons: int | None = None
    nuisance_weight: float = 1.0
    redundancy_weight: float = 1.0
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        if self.neurons is not None:
            _check_belongs("neurons", self.targets)
            if self.neurons < 1:
                raise UserError(f"--neurons {self.neurons}: must be at least 1")
        for option, weight in (
            ("--nuisance-weight", self.nuisance_weight),
            ("--redundancy-weight", self.redundancy_weight),
        ):
            if not 0 <= weight < math.inf:  # nor is it NaN
                raise UserError(f"{option} {weight:g}: must be a number that is at least 0")
        if not 0 < self.temperature <= 100:
            raise UserError(f"--temperature {self.temperature:g}: must be above 0 and at most 100")


def lesson_of(targets: Targets, **options: Any) -> Lesson:
    """A lesson with the options, fields of `Lesson`, that were given: those that are not None.

    UserError: one would do nothing for these targets.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        _check_belongs(name, targets)
    return Lesson(targets, **given)


def _check_belongs(name: str, targets: str) -> None:
    own = _TARGETS_OF[name]
    if targets != own:
        option = f"--{name.replace('_', '-')}"
        raise UserError(f"{option} belongs to --targets {own}, not to {targets}: leave it out")


@dataclass(frozen=True)
class Knowledge:
    """Training data whose targets are what is taught, the supervision for them, and its report.

    supervise: dimension of the student's embedding → supervision; report: as JSON.
    """

    data: TrainingData
    supervise: Callable[[int], Supervision]
    report: dict[str, Any]


def knowledge_of(
    lesson: Lesson,
    teachers: Teachers,
    data: TrainingData,
    neurons: list[NDArray[np.float32]],
    features: int,
) -> Knowledge:
    """Choose and standardise what is taught.

    neurons: of the teacher, float32 n×N for every source of the data; features: dimension of the
    student's embedding. UserError: too few neurons, or no identities to choose them by.
    """
    if lesson.targets == "selected":
        return _selected(lesson, teachers, data, neurons, features)
    width = neurons[0].shape[1]
    targets = standardised(neurons, np.arange(width))
    taught = with_targets(data, targets)
    if lesson.targets == "all":
        report = {"targets": "all", "neurons_of_teacher": width, "count": width}
        return Knowledge(taught, lambda size: NeuronSupervision(size, width, data.classes), report)
    labels = labels_of(data.sources)
    try:
        classifier = fit_mean_classifier(np.concatenate(targets), labels, data.classes)
    except ValueError as error:
        raise UserError(f"soft labels need identities in the training data: {error}") from None
    report = {
        "targets": "soft-labels",
        "neurons_of_teacher": width,
        "classes": data.classes,
        "classifier": "softmax of scaled cosines with the identities' means of all standardised "
        "neurons; the teacher comes without a classifier",
        "scale": classifier.scale,
        "temperature": lesson.temperature,
        "accuracy_leaving_the_face_out": classifier.accuracy,
    }
    return Knowledge(
        taught,
        lambda size: SoftLabelSupervision(size, classifier, data.classes, lesson.temperature),
        report,
    )


def _selected(
    lesson: Lesson,
    teachers: Teachers,
    data: TrainingData,
    neurons: list[NDArray[np.float32]],
    features: int,
) -> Knowledge:
    statistics = statistics_of(teachers, data, neurons)
    living = int(statistics.lives.sum())
    count = lesson.neurons or min(features, living)
    if count > living:
        raise UserError(f"--neurons {count}: the teacher has {living} that are ever active")
    energy = Energy(
        statistics.merit(lesson.nuisance_weight),
        statistics.correlation,
        count,
        lesson.redundancy_weight,
    )
    selection = select_neurons(energy)
    taught = with_targets(data, standardised(neurons, selection.neurons))
    return Knowledge(
        taught,
        lambda size: NeuronSupervision(size, count, data.classes),
        _report(lesson, teachers, statistics, selection),
    )


def statistics_of(
    teachers: Teachers, data: TrainingData, neurons: list[NDArray[np.float32]]
) -> NeuronStatistics:
    """Over up to 8192 faces with an identity, and 256 of all that are disturbed, evenly spaced."""
    labels = labels_of(data.sources)
    known = np.flatnonzero(labels >= 0)
    rows = known[_spaced(len(known), STATISTICS_FACES)] if len(known) else known
    crops = _images(data.sources, _spaced(len(labels), DISTURBED_FACES))
    try:
        return neuron_statistics(_rows(neurons, rows), labels[rows], crops, teachers.neurons)
    except ValueError as error:
        raise UserError(
            f"neurons are chosen by identity, and the training data {error}; add --data with "
            "identities, or take --targets all"
        ) from None


def with_targets(data: TrainingData, targets: list[NDArray[np.float32]]) -> TrainingData:
    """The data with other targets, float32 n×K for every source."""
    sources: Sources = [
        (replace(crops, targets=target), count)
        for (crops, count), target in zip(data.sources, targets, strict=True)
    ]
    return replace(data, sources=sources)


def labels_of(sources: Sources) -> NDArray[np.int64]:
    """Identities of all faces of all sources, int64, those of a source after the earlier ones'.

    The numbers are those of a mini-batch (`facebench.lab.data.augment.make_batch`).
    """
    parts, offset = [], 0
    for crops, _ in sources:
        parts.append(np.where(crops.labels >= 0, crops.labels + offset, crops.labels))
        offset += crops.classes
    return np.concatenate(parts)


def _spaced(total: int, most: int) -> NDArray[np.int64]:
    return np.linspace(0, total - 1, min(most, total)).astype(np.int64)


def _rows(parts: list[NDArray[np.float32]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    found, begin = [], 0
    for part in parts:
        own = rows[(rows >= begin) & (rows < begin + len(part))] - begin
        found.append(np.asarray(part[own]))
        begin += len(part)
    return np.concatenate(found)


def _images(sources: Sources, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    found: list[NDArray[np.uint8]] = []
    begin = 0
    for crops, _ in sources:
        own = rows[(rows >= begin) & (rows < begin + len(crops.images))] - begin
        found += [_image(crops, int(row)) for row in own]
        begin += len(crops.images)
    return np.stack(found)


def _image(crops: TrainingCrops, row: int) -> NDArray[np.uint8]:
    return np.asarray(crops.images[row])


def _report(
    lesson: Lesson, teachers: Teachers, statistics: NeuronStatistics, selection: Selection
) -> dict[str, Any]:
    chosen, lives = selection.neurons, statistics.lives
    redundancy = statistics.correlation[np.ix_(chosen, chosen)].sum(1) / max(len(chosen) - 1, 1)
    dimensions = teachers.dimensions
    neurons = []
    for place, neuron in enumerate(chosen.tolist()):
        teacher, own = teachers.origin(dimensions, neuron)
        neurons.append(
            {
                "index": neuron,
                "teacher": teacher,
                "neuron": own,
                "discriminability": _short(statistics.discriminability[neuron]),
                "nuisance": {k: _short(v[neuron]) for k, v in statistics.nuisance.items()},
                "redundancy": _short(redundancy[place]),
            }
        )
    return {
        "targets": "selected",
        "formula": FORMULA,
        "terms": "d: intraclass correlation; n: mean share of variance that disturbances make; "
        "r: correlation; a: nuisance_weight; b: redundancy_weight",
        "nuisance_weight": lesson.nuisance_weight,
        "redundancy_weight": lesson.redundancy_weight,
        "energy": selection.energy,
        "start": selection.start,
        "neurons_of_teacher": len(lives),
        "dead": int((~lives).sum()),
        "count": len(chosen),
        "mean_of_chosen": _means(statistics, chosen),
        "mean_of_living": _means(statistics, np.flatnonzero(lives)),
        "neurons": neurons,
    }


def _means(statistics: NeuronStatistics, rows: NDArray[np.int64]) -> dict[str, float]:
    pairs = statistics.correlation[np.ix_(rows, rows)].sum() / max(len(rows) * (len(rows) - 1), 1)
    return {
        "discriminability": _short(statistics.discriminability[rows].mean()),
        "nuisance": _short(statistics.mean_nuisance[rows].mean()),
        "redundancy": _short(pairs),
    }


def _short(value: float) -> float:
    return round(float(value), 6)
