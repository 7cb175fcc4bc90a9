"""What ``facebench train`` and ``facebench prune`` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from facebench.base.errors import UserError
from facebench.cli.output import require_folder

if TYPE_CHECKING:
    from facebench.lab.connections.plan import ConnectionPlan, Data
    from facebench.lab.data.apart import Apart
    from facebench.lab.data.crops import Teacher
    from facebench.lab.data.sources import TrainingData
    from facebench.lab.filters.plan import FilterPlan
    from facebench.lab.laboratory.laboratory import Laboratory
    from facebench.lab.laboratory.work_folder import Evaluated
    from facebench.lab.learning.recipes import BankFields, RecipeFile
    from facebench.models.cards.card import ModelCard
    from facebench.models.embedders.base import Embedder


DATA_HELP = (
    "A folder per identity, a folder of index.csv and zips, or `synthetic`; with `:WEIGHT` for its "
    "share of a mini-batch; may be repeated."
)
RECIPE_HELP = "short, paper, compact, plain, or a TOML file."
WORK_HELP = (
    "Folder of checkpoints, in it NAME-FINGERPRINT of each network; the same command continues. "
    "Default: training."
)


@dataclass(frozen=True)
class TeacherOptions:
    """A network to imitate, and how it takes its faces."""

    path: Path | None = None
    size: str = "112x112"
    normalise: str = "imagenet"
    flip: str = "normalised-add"
    untrusted: bool = False  # then only data, not a program


@dataclass(frozen=True)
class Lab:
    """The options of both commands. size of the synthetic set: identities × images; hold_out:
    identities of every source that nothing is trained on, None: the plan's, or a few; bank: where
    the recipe's lies, None: in the folder of work; apart_from: faces whose likes are left out, of
    the sources ``apart_sources`` alone where these are named.
    """

    data: tuple[str, ...]
    teacher: TeacherOptions
    work: Path
    device: str
    precision: str | None
    identities: int
    images: int
    evaluation_data: str | None
    overwrite: bool
    quiet: bool
    threads: int | None = None
    hold_out: int | None = None
    bank: Path | None = None
    apart_from: Path | None = None
    apart_sources: tuple[str, ...] = ()

    def check(self) -> None:
        """UserError for what cannot work on this machine, before anything is loaded."""
        if self.precision not in (None, "float32", "bfloat16", "auto"):
            raise UserError(f"--precision {self.precision}: float32, bfloat16 or auto")
        if self.device.partition(":")[0] not in ("cpu", "cuda"):
            raise UserError(f"--device {self.device}: cpu, cuda or cuda:1")
        if self.identities < 4 or self.images < 2:
            raise UserError("--identities must be at least 4, --images at least 2")


def carry_out(plan: ConnectionPlan, lab: Lab) -> list[str]:
    """Prune connections by a plan in the working directory; the names of its networks."""
    from facebench.lab.connections.schedule import ConnectionRun, prune_connections

    with laboratory(lab, plan.recipe, plan.protocols, plan.data) as work:
        return prune_connections(ConnectionRun(plan, work))


def prepare(lab: Lab, protocols: tuple[str, ...] = ()) -> None:
    """Check the options and set threads and memory; UserError for what cannot work here."""
    import torch

    from facebench.base.threads import keep_freed_memory

    lab.check()
    require_folder(lab.work, "--work")
    require_folder(Path("models"), "cards go to")
    require_folder(Path("reports/results"), "results go to")
    _check_evaluation(protocols, lab.evaluation_data)
    if lab.device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device {lab.device}: torch sees no CUDA device here; use cpu")
    if lab.threads is not None:
        torch.set_num_threads(lab.threads)
    keep_freed_memory()


def _check_evaluation(protocols: tuple[str, ...], data: str | None) -> None:
    """UserError where the evaluation at the end could not begin, before hours of training."""
    from facebench.protocols.cards import load_protocol
    from facebench.protocols.run import prepare_run

    for card in [load_protocol(name) for name in protocols]:
        # Rendered faces are always there, and take their time.
        if data is not None and data != "synthetic":
            prepare_run(card, data, images=True)


def learned_from(
    lab: Lab, recipe: RecipeFile, planned: Data | None = None
) -> tuple[TrainingData, str]:
    """The `TrainingData` of the options, or of a plan's ``data``, and what it is in words.

    recipe: a `RecipeFile`, whose bank, if it has one, is written where it is not there yet.
    UserError: they do not fit together.
    """
    from facebench.lab.connections.plan import Data
    from facebench.lab.data.sources import training_data

    if lab.bank is not None and recipe.bank is None:
        raise UserError("--bank: the recipe has none; give --recipe plain, or one with [bank]")
    planned = planned or Data()
    given = lab.data or planned.sources
    path = lab.teacher.path or (Path(planned.teacher) if planned.teacher else None)
    if recipe.bank is not None and path is None:
        raise UserError("the recipe learns from a bank, which needs a --teacher")
    chosen = replace(lab.teacher, path=path)
    embedder = _embedder(chosen) if path else None
    teacher = None if embedder is None else _teacher(embedder)
    hold_out = lab.hold_out or planned.hold_out
    data = training_data(
        given, recipe.batch, lab.work / "data", teacher,
        identities=lab.identities, images=lab.images, hold_out=hold_out, tell=_tell,
        apart_from=_looked_like(lab, embedder),
    )  # fmt: skip
    if recipe.weights.get("identity"):
        data.require_people(given)
    own = planned.words if given == planned.sources else ""
    text = own or _words(given, path, lab)
    text += f"; {hold_out} identities of each source held out" if hold_out else ""
    if lab.apart_from is not None:
        of = f" of {', '.join(lab.apart_sources)}" if lab.apart_sources else ""
        text += f"; {data.left_out} identities{of} left out as like faces of {lab.apart_from.name}"
    if recipe.bank is None or teacher is None:
        return data, text
    _require_even(given)
    data, words = _banked(data, recipe.bank, lab, chosen)
    return data, f"{text}; {words}"


def _looked_like(lab: Lab, embedder: Embedder | None) -> Apart | None:
    """The `Apart` of the options; None: nobody's likes are left out."""
    from facebench.lab.data.apart import Apart, embeddings_of_people, reference_people

    if lab.apart_from is None:
        if lab.apart_sources:
            raise UserError("--apart-source: of whom is told apart by --apart-from FOLDER")
        return None
    if embedder is None:
        raise UserError("--apart-from needs a --teacher, which says who looks like whom")
    people = reference_people(lab.apart_from)
    faces = embeddings_of_people(people, embedder, lab.work / "data" / "apart")
    return Apart(faces, lab.apart_sources)


def _require_even(given: tuple[str, ...]) -> None:
    from facebench.lab.data.sources import parse_source

    for text in given:
        if parse_source(text).weight != 1:
            raise UserError(
                f"--data {text}: a bank shows every crop as often; leave out the weight"
            )


def _banked(
    data: TrainingData, bank: BankFields, lab: Lab, teacher: TeacherOptions
) -> tuple[TrainingData, str]:
    from facebench.lab.data.banked import with_bank
    from facebench.lab.learning.progress import shown_machine

    with shown_machine(lab.device, lab.precision, not lab.quiet) as machine:
        told = machine.bar("bank", bank.faces) if machine.bar else None
        folder = lab.bank or lab.work / "bank"
        return with_bank(data, bank, folder, lambda: _teacher(_embedder(teacher)), told)


def _tell(line: str) -> None:
    """Of waiting, and the like: before there is a machine to tell it."""
    typer.echo(f"facebench: {line}", err=True)


def _words(given: tuple[str, ...], teacher: Path | None, lab: Lab) -> str:
    from facebench.faces.synthetic import RENDERER_VERSION
    from facebench.lab.data.sources import parse_source

    parts = []
    for text in given:
        spec = parse_source(text)
        weight = "" if text == spec.place else f", weight {text.rpartition(':')[2]}"
        parts.append(
            f"{lab.identities} synthetic identities of {lab.images} images (renderer version "
            f"{RENDERER_VERSION}{weight})"
            if spec.synthetic
            # However it was spelt: `.`, a link, a path from here or from the root.
            else Path(spec.place).resolve().name + weight
        )
    return "; ".join(parts) + (f"; teacher {teacher.stem}" if teacher else "")


def _embedder(teacher: TeacherOptions) -> Embedder:
    from facebench.models.embedders.options import parse_options
    from facebench.models.zoo import load_model

    options = parse_options(
        size=teacher.size,
        normalise=teacher.normalise,
        flip=teacher.flip,
        untrusted=teacher.untrusted,
    )
    return load_model(str(teacher.path), options)


def _teacher(embedder: Embedder) -> Teacher:
    from facebench.lab.data.crops import teacher_from

    height, width = embedder.preprocessing.size
    if height > 128 or width > 112:
        raise UserError(
            f"--teacher-size {height}x{width}: training crops are 128x112; a larger face cannot be "
            "cut from them"
        )
    return teacher_from(embedder)


def evaluated(card: Path, protocols: tuple[str, ...], lab: Lab) -> list[Evaluated]:
    """Records of a card in ./reports/results; one `Evaluated` for each."""
    from facebench.evaluation.evaluate import evaluate_many
    from facebench.lab.laboratory.work_folder import Evaluated
    from facebench.records.files import save_record

    told = []
    records = evaluate_many(
        [str(card)], protocols, lab.evaluation_data, store=False, progress=not lab.quiet
    )
    for record in records:
        save_record(record, Path("reports/results"))
        accuracy = getattr(record.statistics, "accuracy", None)
        value = getattr(accuracy, "value", None)
        result = f"accuracy {value:.4f}" if value is not None else "see its record"
        name, data = record.protocol.name, record.data
        # Numbers of rendered faces are never taken for those of photographs.
        shown = name if data.kind == "real" else f"{name} ({data.kind})"
        sentence = f"{name} on {data.name} ({data.kind}): {result}."
        told.append(Evaluated(shown, sentence, value, _interval(accuracy)))
    return told


def _interval(accuracy: object) -> tuple[float, float] | None:
    """The interval that a table shows beside an accuracy: over people where there is one."""
    own = getattr(accuracy, "shown", None)
    return None if own is None else (own.low, own.high)


RECIPE = "compact"


@contextmanager
def laboratory(
    lab: Lab, recipe_name: str, protocols: tuple[str, ...], planned: Data | None = None
) -> Iterator[Laboratory]:
    """The options as `Laboratory`, writing to the working directory, with progress shown."""
    from facebench.lab.laboratory.laboratory import Laboratory
    from facebench.lab.learning.progress import shown_machine
    from facebench.lab.learning.recipes import load_recipe

    prepare(lab, protocols)
    recipe = load_recipe(recipe_name)
    data, text = learned_from(lab, recipe, planned)
    with shown_machine(lab.device, lab.precision, not lab.quiet) as machine:
        yield Laboratory(
            recipe, recipe_name, data, text, lab.work, Path("models"), Path("reports/results"),
            machine, lambda card, protocols: evaluated(card, protocols, lab), lab.overwrite,
        )  # fmt: skip


def train(
    card: ModelCard,
    lab: Lab,
    recipe: str | None,
    steps: int | None,
    seed: int,
    protocols: tuple[str, ...],
    licence: str,
) -> ModelCard:
    """Learn the weights of a compact card; see `facebench.lab.laboratory.train`."""
    from facebench.lab.laboratory import train as training

    with laboratory(lab, recipe or RECIPE, protocols) as work:
        return training.train(card, work, steps, seed, protocols, licence)


def remove_filters(plan: FilterPlan, card: ModelCard, lab: Lab, recipe: str | None) -> list[str]:
    """Remove filters of a compact card step by step; see `prune_filters`."""
    from facebench.lab.filters.schedule import FilterRun, prune_filters

    with laboratory(lab, recipe or RECIPE, plan.protocols) as work:
        return prune_filters(FilterRun(plan, card, work))
