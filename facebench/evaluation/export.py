"""The job of ``facebench export``: a model as a file for other runtimes, checked before it is kept.

Nothing is written unless the file gives the same embeddings and, where asked, the same records.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError, nearest
from facebench.base.storage import others_in_place, temporary_folder, write_together
from facebench.evaluation.evaluate import evaluate_many
from facebench.models.cards.names import card_for
from facebench.models.cards.publish import card_bytes
from facebench.models.embedders.options import ModelOptions
from facebench.models.export import (
    ENDINGS,
    KINDS,
    EmbeddingCheck,
    ExportKind,
    compare_embeddings,
    plain_network,
    program_bytes,
    program_card,
    twin_faces,
)
from facebench.models.zoo import load_model
from facebench.records.record import Record
from facebench.records.statistics import statistics_in


@dataclass(frozen=True)
class RecordCheck:
    """A protocol's headline of the model and of the file. changed: decisions that differ among the
    comparisons, None where there are no scores; moved: the largest difference of a score.
    """

    protocol: str
    statistic: str
    data: str
    values: tuple[float, float]
    comparisons: int
    changed: int | None
    moved: float | None

    @property
    def equal(self) -> bool:
        """The same number, and the same decision on every comparison."""
        return self.values[0] == self.values[1] and not self.changed

    @property
    def text(self) -> str:
        """The numbers in one line."""
        one, other = self.values
        words = f"{self.protocol} on {self.data}: {'the same' if self.equal else 'NOT THE SAME'}; "
        words += f"{self.statistic} {100 * one:.4f} % and {100 * other:.4f} %"
        if self.changed is not None:
            words += f", {self.changed:,} of {self.comparisons:,} decisions differ"
        return (
            words if self.moved is None else f"{words}, largest change of a score {self.moved:.2g}"
        )


@dataclass(frozen=True)
class Exported:
    """A file and its card; packed: bytes of the weights that it was made of; None: of no file."""

    file: Path
    card: Path
    size: int
    embeddings: EmbeddingCheck
    records: tuple[RecordCheck, ...]
    packed: int | None = None

    @property
    def equal(self) -> bool:
        """Whether the file gives what the model gives, and so was written."""
        return self.embeddings.equal and all(check.equal for check in self.records)


def export_model(
    model: str,
    kind: ExportKind,
    out: Path | None = None,
    *,
    options: ModelOptions | None = None,
    protocols: Sequence[str] = (),
    data: str | Path | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: bool = True,
) -> Exported:
    """Write a model as ``out`` with a card beside it, if it gives the same there.

    model: see `facebench.models.zoo.load_model`, a single torch network. out: a file ending in
    ``.onnx`` or ``.pt2``; None: MODEL_onnx.onnx or MODEL_export.pt2 in the working directory.
    options: override the model's card, and are written into the new one.
    protocols: records that must agree, on ``data``; without any, embeddings of rendered faces
    alone. UserError: a wrong name or ending, a file that is there, a network that cannot be
    exported.
    """
    path = _target(model, kind, out)
    plain = plain_network(model, options)
    program = program_bytes(plain, kind)
    place = path.with_suffix(".toml")
    card = program_card(plain, kind, path.name, hashlib.sha256(program).hexdigest())
    files = {path: program, place: card_bytes(card, place)}
    for there in others_in_place(files):
        if not overwrite:
            raise UserError(f"{there} is there already; add --overwrite, or choose another --out")
    with temporary_folder() as folder:
        aside = folder / path.name
        aside.write_bytes(program)
        aside.with_suffix(".toml").write_bytes(files[place])
        faces = twin_faces(plain.preprocessing.size)
        check = compare_embeddings(load_model(model, options), load_model(str(aside)), faces)
        records: tuple[RecordCheck, ...] = ()
        if check.equal and protocols:
            made = [
                evaluate_many(
                    [spec], protocols, data, options=own, workers=workers, progress=progress
                )
                for spec, own in ((model, options), (str(aside), None))
            ]
            records = tuple(map(compare_headlines, *made))
    weights = plain.card.weights_path
    packed = None if weights is None else weights.stat().st_size
    exported = Exported(path, place, len(program), check, records, packed)
    if exported.equal:
        write_together(files)
    return exported


def compare_headlines(one: Record, other: Record) -> RecordCheck:
    """What two records of the same comparisons differ in."""
    headline, theirs = one.statistics.headline, other.statistics.headline
    changed: int | None = None
    moved: float | None = None
    if one.table is not None and other.table is not None:
        changed = int((one.table.decisions != other.table.decisions).sum())
        before, after = (t.scores.astype(np.float64) for t in (one.table, other.table))
        both = np.isfinite(before) & np.isfinite(after)
        moved = float(np.abs(after[both] - before[both]).max(initial=0.0))
    return RecordCheck(
        one.protocol.name,
        statistics_in(one)[0],
        one.data.fingerprint,
        (headline.value, theirs.value),
        one.comparisons.total,
        changed,
        moved,
    )


def _target(model: str, kind: str, out: Path | None) -> Path:
    """Where the file goes; UserError, before any work, where it cannot."""
    if kind not in KINDS:
        raise UserError(f"--to {kind!r}: not {' or '.join(KINDS)}{nearest(kind, KINDS)}")
    tail = f"{kind.removeprefix('torch-')}{ENDINGS[kind]}"
    return made_beside(card_for(model).name, out, tail, f"a file for --to {kind}")


def made_beside(name: str, out: Path | None, tail: str, what: str) -> Path:
    """Where a file that is made of a model goes, by default ``NAME_TAIL``; UserError, before any
    work, where it cannot.

    name: the model's; tail: with the ending that the file has to have; what: is made, in words.
    """
    ending = Path(tail).suffix
    path = out or Path(f"{name}_{tail}")
    if path.suffix != ending:
        raise UserError(f"--out {path}: {what} ends in {ending}")
    if path.stem == name:
        raise UserError(
            f"--out {path}: its card would be called {path.stem!r} like the model that it is made "
            f"of; name it {path.stem}_{tail}"
        )
    if not path.parent.is_dir():
        raise UserError(f"--out {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"--out {path}: nothing can be written in {path.parent}")
    return path
