"""What models cost as one table: a row per model and runtime, ratios to the baseline below."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from facebench.base.text import count_text, json_text, size_text
from facebench.costs.bench import Bench
from facebench.costs.measure import busy
from facebench.records.costs import CostRecord, CostRun, MachineFacts, Spread
from facebench.tables.csv import to_csv
from facebench.tables.table import Cell, Table, columns_of, rows_of

_SIZES: tuple[tuple[str, str, Callable[[int | None], str]], ...] = (
    ("parameters", "parameters", count_text),
    ("kept", "kept_parameters", count_text),
    ("on disk", "bytes", size_text),
    ("packed", "packed_bytes", size_text),
    ("multiply-adds", "multiply_adds", count_text),
    ("of kept weights", "kept_multiply_adds", count_text),
)


def bench_table(result: Bench) -> Table:
    """The table for a terminal, Markdown and HTML."""
    pairs = _pairs(result)
    batch = pairs[0][1].batch
    several = len({run.runtime for _, run in pairs}) > 1
    base = next((r, run) for r, run in pairs if _is_baseline(r, run, result))
    headings = ["model", *(["runtime"] if several else []), *(heading for heading, _, _ in _SIZES)]
    headings += ["peak memory", "ms, 1 face", f"faces/s, {batch} at once"]
    rows = []
    for record, run in pairs:
        alone = len(pairs) == 1
        cells = [Cell(record.model, "baseline" if (record, run) == base and not alone else "")]
        cells += [Cell(run.runtime)] if several else []
        cells += [_size_cell(record, base[0], field, text) for _, field, text in _SIZES]
        cells += [
            Cell(size_text(run.peak_memory), _times(run.peak_memory, base[1].peak_memory)),
            Cell(_spread(run.latency, 1000), _spread(run.ratios.latency, 1, "×")),
            Cell(_spread(run.throughput, 1), _spread(run.ratios.throughput, 1, "×")),
        ]
        rows.append(tuple(cells))
    return Table(
        "What the models cost to run",
        columns_of(*headings),
        rows_of(*rows),
        tuple(_notes(result, pairs)),
        _notice(result),
    )


def bench_json(result: Bench) -> str:
    """The cost records as they are stored, with the baseline and what was left out."""
    values = {
        "baseline": result.baseline,
        "baseline_runtime": result.baseline_runtime,
        "skipped": list(result.skipped),
        "records": [record.model_dump(mode="json") for record in result.records],
    }
    return json_text(values)


def bench_csv(result: Bench) -> str:
    """One line per model and runtime; seconds, faces per second and bytes in full precision."""
    return to_csv(result.rows())


def _pairs(result: Bench) -> list[tuple[CostRecord, CostRun]]:
    return [(record, run) for record in result.records for run in record.runs]


def _is_baseline(record: CostRecord, run: CostRun, result: Bench) -> bool:
    return (record.model, run.runtime) == (result.baseline, result.baseline_runtime)


def _size_cell(
    record: CostRecord, base: CostRecord, field: str, text: Callable[[int | None], str]
) -> Cell:
    value = getattr(record, field)
    return Cell("not known" if value is None else text(value), _times(value, getattr(base, field)))


def _times(value: int | None, base: int | None) -> str:
    return f"{value / base:.3f}×" if value is not None and base else ""


def _spread(spread: Spread, scale: float, unit: str = "") -> str:
    """``12.3 [12.1, 12.9]``: median, lowest and highest."""
    digits = [_digits(scale * value) for value in (spread.median, spread.low, spread.high)]
    return f"{digits[0]}{unit} [{digits[1]}, {digits[2]}]"


def _digits(value: float) -> str:
    places = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 10 else 3
    return f"{value:,.{places}f}"


def _notes(result: Bench, pairs: list[tuple[CostRecord, CostRun]]) -> Iterable[str]:
    first, machine = pairs[0][1], result.machine
    rounds = len(first.latency.rounds)
    versions = ", ".join(dict.fromkeys(f"{run.runtime} ({run.version})" for _, run in pairs))
    threads = "1 thread" if first.threads == 1 else f"{first.threads} threads"
    yield f"{first.precision}, {threads}, {versions}"
    for record, run in pairs:
        if run.execution:
            yield f"{record.model} in {run.runtime} runs {run.execution}"
    yield (
        f"machine: {machine.cpu} {machine.instructions}, {_cores(machine)}, {machine.system}, "
        f"Python {machine.python}"
    )
    yield (
        f"×: over {result.baseline} in {result.baseline_runtime}, round by round. Times are "
        f"medians of {rounds} rounds [lowest, highest]; in each round all models are measured in "
        "turn, each in a process of its own, and give the median of their passes"
    )
    yield (
        "time: one pass of uint8 faces in memory (random, fixed seed); normalising pixels is part "
        "of it, reading, aligning and the mirrored face of a flip rule are not"
    )
    twice = [record.model for record in result.records if record.passes == 2]
    if twice:
        yield f"two passes per embedding, by their flip rule: {', '.join(twice)}"
    idle = [run.idle_memory for _, run in pairs if run.idle_memory is not None]
    before = f"; {size_text(min(idle))} of it before a model is loaded" if idle else ""
    yield f"peak memory: most resident bytes of the process, libraries and loading included{before}"
    yield (
        "multiply-adds: matrix products and convolutions of one pass of one face; those of dropped "
        "weights are saved only where a runtime skips zeros"
    )
    yield from (f"left out: {line}" for line in result.skipped)


def _notice(result: Bench) -> str | None:
    machine = result.machine
    if not busy(machine):
        return None
    return (
        f"the machine was busy when this began ({machine.load:.1f} running processes on "
        f"{_cores(machine)}): the times are too long, the ratios less so; measure again"
    )


def _cores(machine: MachineFacts) -> str:
    return "1 core" if machine.cores == 1 else f"{machine.cores} cores"
