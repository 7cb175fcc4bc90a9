"""What int8 costs and saves, written into docs/tables/static-int8.csv.

``python docs/make/int8.py LFW FACES WORK MODEL...`` in the checkout: of each model as it is, with
int8 weights (of networks of facebench's own) and in static int8, calibrated on 512 of FACES, the
accuracy on all of LFW with its paired difference from the model as it is, and the time of one face
in ONNX Runtime, one thread, all in turn. Committed records of the same weights are taken; models
and embeddings are kept in WORK.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import write_atomically
from facebench.comparison.compare import compare
from facebench.costs.bench import bench
from facebench.evaluation.evaluate import evaluate
from facebench.evaluation.quantise import quantise_static
from facebench.models.cards.names import card_for
from facebench.models.cards.quantise import quantise_model, rounded_name
from facebench.records.find import named_in
from facebench.records.record import Record
from facebench.tables.csv import to_csv

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "tables" / "static-int8.csv"
STATIC = "static int8"


def forms_of(model: str, faces: Path, work: Path) -> dict[str, str]:
    """A model in all its forms by their names, made where they are not there yet."""
    card = card_for(model)
    found = {"as it is": model}
    if card.architecture != "onnx":
        rounded = work / "models" / f"{rounded_name(card)}.toml"
        if not rounded.is_file():
            quantise_model(card, work / "models")
        found["int8 weights"] = str(rounded)
    file = work / f"{card.name}_static_int8.onnx"
    if not file.is_file():
        quantise_static(model, faces, file)
    return found | {STATIC: str(file)}


def record_of(spec: str, lfw: str) -> Record:
    """On the 6,000 pairs: the committed record of the same weights, or a new one."""
    card = card_for(spec)
    try:
        (found,) = named_in([], [card.name], "lfw", "cosine")
    except UserError:
        found = None
    if found and found.model.weights_hash == card.sha256 and found.data.kind == "real":
        return found
    return evaluate(spec, "lfw", lfw, threads=1, workers=1)


def main(lfw: str, faces: str, work: str, *models: str) -> None:
    """Write the rows of some models."""
    folder = Path(work).resolve()
    os.environ.setdefault("FACEBENCH_CACHE", str(folder / "cache"))
    forms = {model: forms_of(model, Path(faces), folder) for model in models}
    records = {
        model: [record_of(spec, lfw) for spec in made.values()] for model, made in forms.items()
    }
    every = [spec for made in forms.values() for spec in made.values()]
    measured = bench(every, runtimes=("onnxruntime",), threads=1, seconds=3, rounds=5)
    times = dict(zip(every, (one.runs[0] for one in measured.records), strict=True))
    rows = []
    for model, made in forms.items():
        base = times[model].latency.median
        for (form, spec), record in zip(made.items(), records[model], strict=True):
            run, accuracy = times[spec], record.statistics.headline.value
            row = {"model": card_for(model).name, "form": form, "bytes": record.model.bytes}
            row |= {"milliseconds": round(1000 * run.latency.median, 3)}
            row |= {"share": round(run.latency.median / base, 3), "accuracy": round(accuracy, 6)}
            row |= dict.fromkeys(("difference", "low", "high", "p"))
            if spec != model:
                paired = compare(records[model][0], record)[0].statistics[0]
                row["difference"] = round(paired.difference, 6)
                row |= {
                    "low": round(paired.interval.low, 6),
                    "high": round(paired.interval.high, 6),
                }
                row["p"] = round(paired.p_value, 4)
            rows.append(row | {"cpu": run.machine.cpu, "version": run.version})
    write_atomically(TABLE, to_csv(rows).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
