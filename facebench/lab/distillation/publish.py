"""What a distillation leaves behind: card, packed weights, what was chosen, sizes, evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facebench.base.storage import write_atomically
from facebench.costs.facts import model_facts
from facebench.lab.distillation.student import Student, StudentShape, parameters_of, publish_student
from facebench.lab.distillation.teachers import Teachers
from facebench.lab.laboratory.laboratory import Laboratory
from facebench.lab.laboratory.work_folder import fingerprint_of
from facebench.lab.learning.diagnostics import write_diagnostics
from facebench.models.cards.card import ModelCard, read_card
from facebench.models.cards.publish import write_card

PAPER = "Luo et al. 2016 state 51.6 times, and 90 times faster, for the student of an ensemble"
NO_LICENCE = "The weights inherit the terms of the training data and of the teacher: "


@dataclass(frozen=True)
class Footprint:
    """Kept parameters, and bytes of the weights on disk; None: not known."""

    parameters: int | None
    bytes: int | None


@dataclass(frozen=True)
class Taught:
    """A student that was taught. teacher: sizes of all teachers together; report: what was chosen,
    as JSON; steps: mini-batches.
    """

    name: str
    shape: StudentShape
    teachers: Teachers
    teacher: Footprint
    report: Mapping[str, Any]
    steps: int
    seed: int
    licence: str
    protocols: tuple[str, ...]

    @property
    def teacher_text(self) -> str:
        """Names of the teachers."""
        return " + ".join(self.teachers.names)

    @property
    def what(self) -> str:
        """What was taught, in words."""
        targets, report = self.report["targets"], self.report
        total = report["neurons_of_teacher"]
        if targets == "selected":
            return f"{report['count']} selected of {total} neurons"
        if targets == "all":
            return f"all {total} neurons"
        return f"soft labels over {report['classes']} identities, T = {report['temperature']:g}"


def publish_taught(learner: Student, taught: Taught, lab: Laboratory, folder: Path) -> ModelCard:
    """Write card and weights, ``results/distillation/NAME.json`` and the sizes as diagnostics.

    folder: where the student was learned. Returns the card, whose notes say what was taught, how
    many times smaller the student is than its teachers together, beside the paper's ratios, and the
    evaluation.
    """
    data = f"{lab.data_text}; teacher {' + '.join(taught.teachers.names)}"
    recipe = (
        f"{lab.recipe.title} Distillation from {taught.teacher_text}: {taught.what}. "
        f"{taught.steps} mini-batches of {lab.recipe.batch} faces from random weights, seed "
        f"{taught.seed}"
    )
    training = lab.training(
        recipe, lab.recipe.batch * taught.steps, fingerprint_of(folder), folder / "log.csv",
        data=data, without="its teacher",
    )  # fmt: skip
    title = f"Student of {taught.teacher_text}, {taught.what}"
    licence = taught.licence or NO_LICENCE + data
    card = publish_student(taught.name, taught.shape, learner, title, licence, training, lab.models)
    student = _student_sizes(learner, card)
    _write_diagnostics(taught, student, data, lab.results)
    evaluations = lab.evaluations(card.path, taught.protocols)
    told = [_comparison(taught, student), *(one.sentence for one in evaluations)]
    write_card(card.model_copy(update={"notes": " ".join(told)}), card.path)
    _write_report(taught, student, lab.results)
    return read_card(card.path)


def teacher_sizes(teachers: Teachers) -> Footprint:
    """Sums over the teachers; UserError where one's files are not there."""
    facts = [
        model_facts(spec, options)
        for spec, options in zip(teachers.specs, teachers.options, strict=True)
    ]
    parameters = [one.sizes.kept for one in facts]
    sizes = [one.sizes.bytes for one in facts]
    return Footprint(_total(parameters), _total(sizes))


def _student_sizes(learner: Student, card: ModelCard) -> Footprint:
    path = card.weights_path
    return Footprint(parameters_of(learner), path.stat().st_size if path else None)


def _total(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _ratio(teacher: int | None, student: int | None) -> float | None:
    return teacher / student if teacher and student else None


def _comparison(taught: Taught, student: Footprint) -> str:
    parts = [
        f"{ratio:.1f} times {what} ({big:,} to {small:,})"
        for big, small, what in (
            (taught.teacher.parameters, student.parameters, "fewer parameters"),
            (taught.teacher.bytes, student.bytes, "fewer bytes"),
        )
        if (ratio := _ratio(big, small)) is not None
    ]
    smaller = f" {' and '.join(parts)} than its teacher; {PAPER}." if parts else ""
    return f"Taught {taught.what} of {taught.teacher_text}.{smaller}"


def _write_diagnostics(taught: Taught, student: Footprint, data: str, results: Path) -> None:
    """``results/diagnostics/NAME.json``, which report cards read."""
    values: dict[str, float | str | None] = {
        "compression_against_teacher": _ratio(taught.teacher.parameters, student.parameters),
        "byte_compression_against_teacher": _ratio(taught.teacher.bytes, student.bytes),
        "teacher_parameters": taught.teacher.parameters,
        "teacher_bytes": taught.teacher.bytes,
        "teacher": taught.teacher_text,
        "taught": taught.what,
    }
    known = {name: value for name, value in values.items() if value is not None}
    write_diagnostics(taught.name, known, f"facebench distill on {data}", results)


def _write_report(taught: Taught, student: Footprint, results: Path) -> None:
    told = {
        "schema_version": 1,
        "student": taught.name,
        "seed": taught.seed,
        "teachers": [
            {"model": name, "weights": one.weights_hash, "neurons": size}
            for name, one, size in zip(
                taught.teachers.names,
                taught.teachers.embedders,
                taught.teachers.dimensions,
                strict=True,
            )
        ],
        "sizes": {"teacher": vars(taught.teacher), "student": vars(student)},
        **taught.report,
    }
    text = json.dumps(told, indent=2, sort_keys=True) + "\n"
    write_atomically(results / "distillation" / f"{taught.name}.json", text.encode())
