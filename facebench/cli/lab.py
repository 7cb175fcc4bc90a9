"""What ``facebench train`` and ``facebench prune`` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facebench.base.errors import UserError
from facebench.base.options import ASIDE, Group, Option, words_of
from facebench.base.vocabulary import MOST_THREADS
from facebench.cli.output import require_folder
from facebench.models.embedders.options import ModelOptions

if TYPE_CHECKING:
    from facebench.lab.compress.compress import Compressed
    from facebench.lab.compress.plan import CompressPlan
    from facebench.lab.connections.plan import ConnectionPlan, Data
    from facebench.lab.data.apart import Apart
    from facebench.lab.data.sources import TrainingData
    from facebench.lab.filters.plan import FilterPlan
    from facebench.lab.laboratory.laboratory import Laboratory
    from facebench.lab.laboratory.work_folder import Evaluated
    from facebench.lab.learning.recipes import BankFields, RecipeFile
    from facebench.models.cards.card import ModelCard
    from facebench.models.embedders.base import Embedder


KINDS = (
    "Weights with a card and ONNX files are data; .pt, .pt2 and package.module:factory are "
    "programs: run only what you trust."
)
DATA, TRAINING, RESULT = Group("Data"), Group("How"), Group("Result")
# What a command's own options may come before.
TRAINING_ON, RESULT_AFTER = Group("How"), Group("Result")
SEED = typer.Option(min=0, rich_help_panel=TRAINING.title, help="Of everything.")


def recipe_option(default: str) -> Any:
    """The option of a recipe. default: in words, what is taken without it."""
    kinds = "short, paper, compact, plain, or a TOML file."
    return typer.Option(rich_help_panel=TRAINING.title, help=f"{kinds} Default: {default}.")


def usual_work() -> Path:
    """Where checkpoints go."""
    return Path("training")


@dataclass(frozen=True)
class Lab:
    """The options of training, pruning and distilling. hold_out: identities of every source that
    nothing is trained on, None: the plan's, or a few.
    """

    data: Annotated[
        tuple[str, ...],
        Option(
            DATA,
            "A folder per identity, a folder of index.csv and zips, or `synthetic`; with `:WEIGHT` "
            "for its share of a mini-batch; may be repeated.",
        ),
    ] = ()
    teacher: Annotated[
        Path | None, Option(DATA, f"A network whose embedding is imitated. {KINDS}")
    ] = None
    teacher_size: Annotated[
        str | None,
        Option(DATA, "Height x width of its faces; of a file without a card, default: 112x112."),
    ] = None
    teacher_normalise: Annotated[
        str | None, Option(DATA, "Likewise: imagenet (default), half or arcface.")
    ] = None
    teacher_flip: Annotated[
        str | None,
        Option(DATA, "Likewise: what is done with the mirrored face; default: normalised-add."),
    ] = None
    untrusted: Annotated[bool, Option(ASIDE, words_of(ModelOptions, "untrusted"))] = False
    identities: Annotated[int, Option(DATA, "Of the synthetic set.")] = 1200
    images: Annotated[int, Option(DATA, "Of each synthetic identity.")] = 14
    hold_out: Annotated[
        int | None,
        Option(
            DATA,
            "Identities of every source to train on nothing of; named in "
            "models/weights/NAME.unseen.txt, e.g. for `facebench metric fit`. Default: the plan's, "
            "or at most 30.",
            bounds=(1, None),
        ),
    ] = None
    apart_from: Annotated[
        Path | None,
        Option(
            DATA,
            "A folder per identity, e.g. LFW's: people who look like any of it to the teacher "
            "(cosine above 0.4) are left out.",
        ),
    ] = None
    apart_source: Annotated[
        tuple[str, ...],
        Option(DATA, "Source of an index, of whose people alone these are; may be repeated."),
    ] = ()
    bank: Annotated[
        Path | None,
        Option(
            DATA,
            "Folder of the bank that the recipe learns from; written where it is not there yet. "
            "Default: WORK/bank.",
        ),
    ] = None
    steps: Annotated[
        int | None,
        Option(TRAINING, "Mini-batches; default: the recipe's.", bounds=(1, None)),
    ] = None
    device: Annotated[str, Option(TRAINING_ON, "cpu or cuda.")] = "cpu"
    precision: Annotated[
        str | None, Option(TRAINING_ON, "float32, bfloat16, or auto: the faster of both.")
    ] = None
    threads: Annotated[int | None, Option(TRAINING_ON, "", bounds=(1, MOST_THREADS))] = None
    work: Annotated[
        Path,
        Option(
            RESULT,
            "Folder of checkpoints, in it NAME-FINGERPRINT of each network; the same command "
            "continues. Default: training.",
            otherwise=usual_work,
        ),
    ] = Path("training")
    protocol: Annotated[
        tuple[str, ...],
        Option(RESULT, "Evaluate on it at last.", flags=("--protocol", "-p")),
    ] = ()
    protocol_data: Annotated[str | None, Option(RESULT, "--data of the evaluation.")] = None
    licence: Annotated[str, Option(RESULT, "Of the weights, for the card.")] = ""
    overwrite: Annotated[bool, Option(RESULT_AFTER, "Weights that exist.")] = False
    quiet: Annotated[bool, Option(RESULT_AFTER, "No progress.", flags=("--quiet", "-q"))] = False

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


def prepare(lab: Lab, protocols: tuple[str, ...]) -> None:
    """Check the options and set threads and memory; UserError for what cannot work here."""
    import torch

    from facebench.base.threads import keep_freed_memory

    lab.check()
    require_folder(lab.work, "--work")
    require_folder(Path("models"), "cards go to")
    require_folder(Path("reports/results"), "results go to")
    _check_evaluation(protocols, lab.protocol_data)
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
    from facebench.lab.data.crops import teacher_from
    from facebench.lab.data.sources import parse_source, training_data

    if lab.bank is not None and recipe.bank is None:
        raise UserError("--bank: the recipe has none; give --recipe plain, or one with [bank]")
    planned = planned or Data()
    for text in () if lab.data else planned.sources:
        _require_planned(parse_source(text).place, "faces", "--data FOLDER")
    if planned.teacher and not lab.teacher:
        _require_planned(planned.teacher, "teacher", "--teacher FILE")
    given = lab.data or planned.sources
    path = lab.teacher or (Path(planned.teacher) if planned.teacher else None)
    if recipe.bank is not None and path is None:
        raise UserError("the recipe learns from a bank, which needs a --teacher")
    embedder = _embedder(lab, path) if path else None
    teacher = None if embedder is None else teacher_from(embedder)
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
        of = f" of {', '.join(lab.apart_source)}" if lab.apart_source else ""
        text += f"; {data.left_out} identities{of} left out as like faces of {lab.apart_from.name}"
    if recipe.bank is None or path is None:
        return data, text
    _require_even(given)
    data, words = _banked(data, recipe.bank, lab, path)
    return data, f"{text}; {words}"


def _require_planned(place: str, what: str, option: str) -> None:
    """UserError where a path that a plan names, and no option replaces, is not there."""
    if "/" in place and not Path(place).exists():
        raise UserError(f"{place}, where the plan has its {what}, is not there; give {option}")


def _looked_like(lab: Lab, embedder: Embedder | None) -> Apart | None:
    """The `Apart` of the options; None: nobody's likes are left out."""
    from facebench.lab.data.apart import Apart, embeddings_of_people, reference_people

    if lab.apart_from is None:
        if lab.apart_source:
            raise UserError("--apart-source: of whom is told apart by --apart-from FOLDER")
        return None
    if embedder is None:
        raise UserError("--apart-from needs a --teacher, which says who looks like whom")
    people = reference_people(lab.apart_from)
    faces = embeddings_of_people(people, embedder, lab.work / "data" / "apart")
    return Apart(faces, lab.apart_source)


def _require_even(given: tuple[str, ...]) -> None:
    from facebench.lab.data.sources import parse_source

    for text in given:
        if parse_source(text).weight != 1:
            raise UserError(
                f"--data {text}: a bank shows every crop as often; leave out the weight"
            )


def _banked(
    data: TrainingData, bank: BankFields, lab: Lab, teacher: Path
) -> tuple[TrainingData, str]:
    from facebench.lab.data.banked import with_bank
    from facebench.lab.data.crops import teacher_from
    from facebench.lab.learning.progress import shown_machine

    with shown_machine(lab.device, lab.precision, not lab.quiet) as machine:
        told = machine.bar("bank", bank.faces, "faces") if machine.bar else None
        folder = lab.bank or lab.work / "bank"
        return with_bank(data, bank, folder, lambda: teacher_from(_embedder(lab, teacher)), told)


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


def _embedder(lab: Lab, teacher: Path) -> Embedder:
    """The teacher, as `distill` loads one: a card says how its faces are made."""
    from facebench.lab.distillation.teachers import load_teachers
    from facebench.models.embedders.options import parse_options

    options = parse_options(
        size=lab.teacher_size,
        normalise=lab.teacher_normalise,
        flip=lab.teacher_flip,
        untrusted=lab.untrusted,
    )
    (embedder,) = load_teachers((str(teacher),), options).embedders
    return embedder


def evaluated(card: Path, protocols: tuple[str, ...], lab: Lab) -> list[Evaluated]:
    """Records of a card in ./reports/results; one `Evaluated` for each."""
    from facebench.evaluation.evaluate import evaluate_many
    from facebench.lab.laboratory.work_folder import Evaluated
    from facebench.records.files import save_record

    told = []
    records = evaluate_many(
        [str(card)], protocols, lab.protocol_data, store=False, progress=not lab.quiet
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


def train(card: ModelCard, lab: Lab, recipe: str | None, seed: int) -> ModelCard:
    """Learn the weights of a compact card; see `facebench.lab.laboratory.train`."""
    from facebench.lab.laboratory import train as training

    with laboratory(lab, recipe or RECIPE, lab.protocol) as work:
        return training.train(card, work, lab.steps, seed, lab.protocol, lab.licence)


def remove_filters(plan: FilterPlan, card: ModelCard, lab: Lab, recipe: str | None) -> list[str]:
    """Remove filters of a compact card step by step; see `prune_filters`."""
    from facebench.lab.filters.schedule import FilterRun, prune_filters

    with laboratory(lab, recipe or RECIPE, plan.protocols) as work:
        return prune_filters(FilterRun(plan, card, work))


def make_smaller(plan: CompressPlan, card: ModelCard, lab: Lab, recipe: str | None) -> Compressed:
    """The smallest network that passes; see `facebench.lab.compress.compress`."""
    from facebench.lab.compress.compress import CompressRun, compress
    from facebench.lab.learning.progress import shown_machine
    from facebench.protocols.settings import Settings

    settings = Settings(store=False, progress=not lab.quiet)
    run = CompressRun(
        plan, card, lab.protocol_data, None, settings, lab.work, overwrite=lab.overwrite
    )
    if lab.data:
        with laboratory(lab, recipe or RECIPE, ()) as work:
            return compress(replace(run, lab=work, machine=work.machine))
    prepare(lab, ())
    with shown_machine(lab.device, lab.precision, not lab.quiet) as machine:
        return compress(replace(run, machine=machine))
