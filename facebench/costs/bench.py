"""The job of ``facebench bench``: what models cost, side by side, and a cost record of each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facebench.base.errors import UserError, nearest
from facebench.base.options import (
    check_keywords,
    check_types,
    listed,
    require_function,
    with_fields,
)
from facebench.base.progress import Stage, unseen
from facebench.base.storage import sha256_file, temporary_folder, write_atomically
from facebench.base.version import __version__
from facebench.base.vocabulary import MOST_THREADS
from facebench.costs.facts import ModelFacts, model_facts
from facebench.costs.measure import (
    Rounds,
    describe_machine,
    measure_rounds,
    ratio_of,
    spread_of,
    throughput_of,
)
from facebench.costs.runtimes import Job, native_runtime, needs_program, why_not_in, why_unavailable
from facebench.costs.worker import Loaded, WorkerProcess
from facebench.models.cards.names import is_bare, names_apart
from facebench.models.cards.publish import write_card
from facebench.models.cards.sweep import NamedModel, Weights, swept
from facebench.models.embedders.options import ModelOptions, Precision, check_size
from facebench.models.export import plain_network, program_bytes, program_card
from facebench.records.costs import (
    OF_MODELS,
    RUNTIMES,
    CostRecord,
    CostRun,
    MachineFacts,
    Ratios,
    Runtime,
)
from facebench.records.frames import Scalar, Shown, frame_of
from facebench.records.scores import file_name

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class BenchSettings:
    """How models are measured; see `bench`. UserError for a value that is not possible."""

    runtimes: tuple[str, ...] | None = None
    threads: int = 1
    precision: Precision = "float32"
    batch: int = 32
    seconds: float = 10.0
    rounds: int = 5
    size: tuple[int, int] | None = None
    untrusted: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.runtimes, str):
            object.__setattr__(self, "runtimes", (self.runtimes,))
        check_size("size", self.size)
        check_types(self)
        for name in self.runtimes or ():
            if name not in RUNTIMES:
                hint = nearest(name, RUNTIMES)
                raise UserError(f"no runtime {name!r}{hint} ({', '.join(RUNTIMES)})")
        for name, least in (("threads", 1), ("batch", 1), ("rounds", 1), ("seconds", 0)):
            value, most = getattr(self, name), MOST_THREADS if name == "threads" else 10**6
            if not least <= value <= most:
                raise UserError(f"--{name} {value:g}: must be from {least} to {most:,}")


@dataclass(frozen=True)
class Bench(Shown):
    """Cost records in the order of the models, each with the runs of this time only; skipped: one
    line for every model and runtime that could not be measured.
    """

    records: tuple[CostRecord, ...]
    baseline: str
    baseline_runtime: Runtime
    skipped: tuple[str, ...]
    machine: MachineFacts

    def rows(self) -> list[dict[str, Scalar]]:
        """One for every model and runtime: seconds, faces per second, bytes."""
        return [_row(record, run) for record in self.records for run in record.runs]

    def to_frame(self) -> DataFrame:
        """One row for every model and runtime."""
        return frame_of(self.rows())


def _row(record: CostRecord, run: CostRun) -> dict[str, Scalar]:
    row: dict[str, Scalar] = {"model": record.model, "runtime": run.runtime, "version": run.version}
    row |= {"execution": run.execution, "precision": run.precision, "threads": run.threads}
    row |= {"batch": run.batch}
    row |= {name: getattr(record, name) for name in OF_MODELS}
    row |= {"passes": record.passes, "peak_memory": run.peak_memory}
    row |= {"idle_memory": run.idle_memory}
    for name, spread in (
        ("latency_seconds", run.latency),
        ("faces_per_second", run.throughput),
        ("latency_ratio", run.ratios.latency),
        ("throughput_ratio", run.ratios.throughput),
    ):
        row |= {name: spread.median, f"{name}_low": spread.low, f"{name}_high": spread.high}
    row |= {"rounds": len(run.latency.rounds), "baseline": run.ratios.baseline}
    row |= {"baseline_runtime": run.ratios.runtime, "cpu": run.machine.cpu}
    row |= {"cores": run.machine.cores, "load": run.machine.load, "measured": run.measured}
    return row


@dataclass(frozen=True)
class _Ready:
    """A model that is loaded and warm in its process."""

    facts: ModelFacts
    process: WorkerProcess
    loaded: Loaded


@with_fields(BenchSettings)
def bench(
    models: str | Sequence[str],
    baseline: str | None = None,
    *,
    weights: Weights | None = None,
    stage: Stage = unseen,
    **keywords: Any,
) -> Bench:
    """What models cost, measured side by side: size, multiply-adds, memory, latency, throughput.

    Parameters
    ----------
    models : str, or sequence of str
        Names of the zoo, cards, or model files. Each is loaded in a process of its own.
    baseline : str, optional
        Which of them the others are divided by, by default the first; one that is not among them is
        measured before them.
    weights : str, path, or sequence of them, optional
        Files of weights, or patterns, for the one ``package.module:factory`` among the models, as
        of `evaluate_many`.
    stage : callable, optional
        Called with what is done next and in how many steps; gives what is called after each step.
    runtimes : tuple of str, optional
        ``eager``, ``compile``, ``onnxruntime``, ``openvino``; by default each model's own.
    threads : int, optional
        Of the network.
    precision : {"float32", "bfloat16"}, optional
        Of the arithmetic.
    batch : int, optional
        Faces at once, for throughput.
    seconds : float, optional
        Of passes per model and runtime, over all rounds.
    rounds : int, optional
        In each of which all models have a turn.
    size : (int, int), optional
        Height and width of faces of models without a card.
    untrusted : bool, optional
        Take models that are data alone; refuse programs, without reading them.

    Returns
    -------
    Bench
        ``records``, one for every model, and ``skipped``, a line for what could not be measured.

    Raises
    ------
    UserError
        Before anything is timed: a model that cannot be loaded, two of one name, nothing to
        measure, a value that is not possible.

    Examples
    --------
    >>> import facebench
    >>> found = facebench.bench(["sparse_074"], seconds=0, rounds=1, batch=1)
    >>> found.records[0].model, found.records[0].runs[0].ratios.latency.median
    ('sparse_074', 1.0)
    """
    check_keywords(bench, keywords)
    require_function("stage", stage)
    settings = BenchSettings(**keywords)
    models = [_name_of(model) for model in listed("models", models, "['sparse_074']")]
    baseline = None if baseline is None else _name_of(baseline)
    before = [] if baseline is None or baseline in models else [baseline]
    several = [NamedModel(None, model) for model in dict.fromkeys([*before, *models])]
    named = {one.spec: one.name for one in swept(several, weights)}
    specs = list(named)
    if not specs:
        raise UserError("nothing to measure: name at least one model")
    counted = stage("counting", len(specs))
    facts = []
    for spec, size in _sizes(specs, settings.size).items():
        options = ModelOptions(
            size=size, precision=settings.precision, untrusted=settings.untrusted
        )
        facts.append(model_facts(spec, options, named[spec]))
        counted()
    apart = names_apart(specs, [one.name for one in facts])
    facts = [replace(one, name=name) for one, name in zip(facts, apart, strict=True)]
    _require_distinct(facts)
    base = facts[specs.index(baseline)] if baseline in specs else facts[0]
    machine = describe_machine()  # before this makes it busy
    with temporary_folder() as folder, ExitStack() as stack:
        jobs, skipped = _jobs(facts, settings, folder)
        ready = _load(jobs, settings, skipped, stack, stage)
        first = next((one for one in ready if one.facts is base), None)
        if first is None:
            raise UserError(f"the baseline cannot be measured: {'; '.join(skipped)}")
        timed = _rounds(ready, settings, stage)
        runs = _runs(ready, timed, first, settings, machine)
    records = (_record(one, runs) for one in facts)
    return Bench(
        tuple(record for record in records if record is not None),
        base.name,
        first.process.job.runtime,
        tuple(skipped),
        machine,
    )


def _name_of(model: object) -> str:
    """Each process loads it anew, which needs a name."""
    if not isinstance(model, (str, PathLike)):
        raise UserError(
            f"bench takes names of models, cards or files, not a {type(model).__name__}; save it "
            "as a file (`facebench export`, torch.export), and name that"
        )
    return str(model)


def _jobs(
    facts: Sequence[ModelFacts], settings: BenchSettings, folder: Path
) -> tuple[list[tuple[ModelFacts, Job]], list[str]]:
    """Every model in every runtime that it can be run in, and a line for each other one."""
    skipped: list[str] = []
    wanted = list(dict.fromkeys(settings.runtimes or ()))
    missing = {name: why for name in wanted if (why := why_unavailable(_runtime(name)))}
    skipped += [f"{name}: {why}" for name, why in missing.items()]
    found = []
    for one in facts:
        for runtime in [_runtime(name) for name in wanted] or [native_runtime(one.card)]:
            if runtime in missing:
                continue
            why = why_not_in(one.card, runtime, settings.precision)
            program = None
            if why is None and needs_program(one.card, runtime):
                try:
                    program = _program(one, folder)
                except UserError as error:
                    why = str(error)
            if why is not None:
                skipped.append(f"{one.name} in {runtime}: {why}")
                continue
            job = Job(
                one.spec, runtime, settings.threads, settings.precision, one.options.size, program
            )
            found.append((one, job))
    return found, skipped


def _sizes(specs: Sequence[str], size: tuple[int, int] | None) -> dict[str, tuple[int, int] | None]:
    """The size that each model is given: where some have no card, it is meant for those."""
    bare = {spec: is_bare(spec) for spec in specs}
    return {spec: size if own or not any(bare.values()) else None for spec, own in bare.items()}


def _runtime(name: str) -> Runtime:
    return next(runtime for runtime in RUNTIMES if runtime == name)


def _program(facts: ModelFacts, folder: Path) -> str:
    """The path of the model as an ONNX file, with its card beside it; made once."""
    path = folder / f"{file_name(facts.name)}.onnx"
    if not path.is_file():
        plain = plain_network(facts.spec, replace(facts.options, precision="float32"))
        write_atomically(path, program_bytes(plain, "onnx"))
        card = program_card(plain, "onnx", path.name, sha256_file(path))
        write_card(card, path.with_suffix(".toml"))
    return str(path)


def _load(
    jobs: Sequence[tuple[ModelFacts, Job]],
    settings: BenchSettings,
    skipped: list[str],
    stack: ExitStack,
    stage: Stage,
) -> list[_Ready]:
    """The processes, one after the other, so that warming one up does not disturb another."""
    ready = []
    done = stage("loading", len(jobs))
    for facts, job in jobs:
        process = stack.enter_context(WorkerProcess(job))
        try:
            ready.append(_Ready(facts, process, process.load(settings.batch)))
        except UserError as error:
            if job.runtime == native_runtime(facts.card):
                raise
            skipped.append(f"{facts.name} in {job.runtime}: {error}")
        done()
    return ready


def _rounds(
    ready: Sequence[_Ready],
    settings: BenchSettings,
    stage: Stage,
) -> list[Rounds]:
    return measure_rounds(
        [one.process for one in ready],
        [one.loaded.estimates for one in ready],
        batch=settings.batch,
        rounds=settings.rounds,
        seconds=settings.seconds,
        advance=stage("measuring", settings.rounds * len(ready)),
    )


def _runs(
    ready: Sequence[_Ready],
    timed: Sequence[Rounds],
    first: _Ready,
    settings: BenchSettings,
    machine: MachineFacts,
) -> list[tuple[ModelFacts, CostRun]]:
    base = timed[ready.index(first)]
    latency, throughput = spread_of(base.latency), throughput_of(base, settings.batch)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    runs = []
    for one, rounds in zip(ready, timed, strict=True):
        own_latency, own = spread_of(rounds.latency), throughput_of(rounds, settings.batch)
        job = one.process.job
        run = CostRun(
            runtime=job.runtime,
            version=one.loaded.version,
            native=job.runtime == native_runtime(one.facts.card),
            execution=one.loaded.execution,
            precision=settings.precision,
            threads=settings.threads,
            batch=settings.batch,
            latency=own_latency,
            throughput=own,
            peak_memory=one.loaded.peak,
            idle_memory=one.loaded.idle,
            ratios=Ratios(
                baseline=first.facts.name,
                runtime=first.process.job.runtime,
                latency=ratio_of(own_latency, latency),
                throughput=ratio_of(own, throughput),
            ),
            measured=now,
            machine=machine,
        )
        runs.append((one.facts, run))
    return runs


def _record(facts: ModelFacts, runs: Sequence[tuple[ModelFacts, CostRun]]) -> CostRecord | None:
    """None: the model was measured in no runtime."""
    own = tuple(run for other, run in runs if other is facts)
    if not own:
        return None
    return CostRecord(
        facebench=__version__,
        model=facts.name,
        weights_hash=facts.weights_hash,
        parameters=facts.sizes.parameters,
        kept_parameters=facts.sizes.kept,
        bytes=facts.sizes.bytes,
        packed_bytes=facts.sizes.packed_bytes,
        packed_int8_bytes=facts.sizes.packed_int8_bytes,
        multiply_adds=facts.sizes.multiply_adds,
        kept_multiply_adds=facts.sizes.kept_multiply_adds,
        input=facts.input,
        passes=facts.passes,
        runs=own,
    )


def _require_distinct(facts: Sequence[ModelFacts]) -> None:
    names = [one.name for one in facts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two models are called {twice!r}; give them cards with different names")
