"""Everything that users see of the shipped records, written into a folder, to be compared.

    python -m tests.acceptance.snapshot FOLDER       and after a change that may change nothing
    python -m tests.acceptance.snapshot OTHER && diff -r FOLDER OTHER

It holds the help of every command, every table in every format, six shipped records of each kind
compared with and gated against all others of it, the history of each folder, and the records of a
run of every protocol on the synthetic twins. What changes from run to run (times) is taken out.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
RESULTS = CHECKOUT / "reports" / "results"
MOST_BASES = 6  # of a kind; all of them take hours
MODELS = ("student_ensemble_long_int8", "mobilenet_v2_half_taylor_60")
TWINS = ("lfw", "ytf", "ijba", "ijba-search")
RULES = """rules = [
    "lfw.accuracy drop <= 0.5pt at 95%",
    "lfw.auc >= 0.8",
    "lfw.tar@0.01 drop <= 3pt at 95%",
    "kept_parameters <= 1.0 of baseline",
]
"""
CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? (ms|s|seconds|minutes|faces/s|images/s)\b"), "DURATION"),
    (re.compile(r"/tmp/[\w./-]+"), "FOLDER"),
]
VOLATILE = ("run", "seal", "created", "environment", "digest")  # a seal is over the run, too


def main(folder: Path) -> None:
    """Write everything; takes some minutes."""
    os.environ.update(COLUMNS="100", NO_COLOR="1", TERM="dumb")
    CHANGING.append((re.compile(re.escape(str(folder))), "FOLDER"))
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["FACEBENCH_CACHE"] = cache
        write_helps(folder / "help")
        write_lists(folder / "lists")
        write_reports(folder / "reports")
        for kind, records in kinds_of_records().items():
            write_comparisons(folder / "compare" / kind, records)
            write_gates(folder / "gate" / kind, records)
        for place in sorted({path.parent for path in all_records()}):
            write_history(folder / "history" / place.name, place)
        write_twins(folder / "twins")
    print(sum(path.is_file() for path in folder.rglob("*")), "files in", folder)


def run(arguments: Sequence[str | Path]) -> str:
    """What a command prints on both streams, and its exit code."""
    from facebench.cli.app import main as command_line

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command_line([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
    return f"{steady(out.getvalue())}\n--- errors\n{steady(err.getvalue())}\n--- exit code {code}\n"


def steady(text: str) -> str:
    """A text without what changes from run to run."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


def keep(path: Path, text: str) -> None:
    """Write a text, with missing folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def write_helps(folder: Path) -> None:
    """The help of every command and of the commands inside of it."""
    from facebench.cli.app import COMMANDS

    keep(folder / "facebench.txt", run(["--help"]))
    for name, *_ in COMMANDS:
        text = run([name, "--help"])
        keep(folder / f"{name}.txt", text)
        _, _, listed = text.partition("─ Commands ")
        for inner in re.findall(r"^│ ([a-z][\w-]*)", listed, re.MULTILINE):
            keep(folder / f"{name}-{inner}.txt", run([name, inner, "--help"]))


def write_lists(folder: Path) -> None:
    """What the commands that only list things print."""
    for words in ("models", "models --recorded", "protocols", "report list", "schema"):
        keep(folder / f"{words.replace(' ', '')}.txt", run(words.split()))


def write_reports(folder: Path) -> None:
    """Every table of the papers, in every format."""
    for group in ("paper", "taylor", "distillation", "int8", "compare"):
        extra = ["-m", "baseline", "-m", "sparse_074"] if group == "compare" else []
        said = run(["report", group, *extra, "--format", "all", "--output-dir", folder / group])
        keep(folder / f"{group}.txt", said)
    for path in folder.rglob("*"):
        if path.suffix in {".md", ".html", ".csv", ".tex"}:
            keep(path, steady(path.read_text("utf-8")))


def all_records() -> list[Path]:
    """Record files that are shipped."""
    return sorted(
        path for path in RESULTS.rglob("*.json") if "protocol" in json.loads(path.read_bytes())
    )


def kinds_of_records() -> dict[str, list[Path]]:
    """Shipped records by folder and similarity: those that may be compared with each other."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in all_records():
        values = json.loads(path.read_bytes())
        kinds[f"{path.parent.name}/{_similarity(values)}"].append(path)
    return kinds


def bases_of(records: Sequence[Path]) -> Sequence[Path]:
    """At most ``MOST_BASES`` of the records, evenly spread."""
    return records[:: -(-len(records) // MOST_BASES)]


def _similarity(values: dict[str, Any]) -> str:
    told = values.get("similarity", "cosine")
    return str(told.get("kind") or told.get("name") if isinstance(told, dict) else told)


def write_comparisons(folder: Path, records: Sequence[Path]) -> None:
    """Some records of a kind, each as the base of all others."""
    for base in bases_of(records):
        others = [path for path in records if path != base]
        if not others:
            continue
        keep(folder / f"{base.stem}.txt", run(["compare", base, *others]))
        full = run(["compare", base, *others, "--format", "json"])  # 14 MB each
        keep(folder / f"{base.stem}.sha256", hashlib.sha256(full.encode()).hexdigest())
    for form in ("md", "html", "csv") if len(records) > 1 else ():
        keep(folder / f"all.{form}", run(["compare", *records, "--format", form]))


def write_gates(folder: Path, records: Sequence[Path]) -> None:
    """Each record as the baseline of all others of its kind, by rules of every sort."""
    with tempfile.TemporaryDirectory() as place:
        rules = Path(place) / "rules.toml"
        rules.write_text(RULES)
        for base in bases_of(records):
            others = [path for path in records if path != base]
            if others:
                keep(
                    folder / f"{base.stem}.txt",
                    run(["gate", "-b", base, "--rules", rules, *others]),
                )


def write_history(folder: Path, place: Path) -> None:
    """The history of a folder of records in every format."""
    for form in ("table", "md", "html", "csv"):
        keep(folder / f"history.{form}", run(["history", place, "--format", form]))


def write_twins(folder: Path) -> None:
    """Records of a run of every protocol that has a twin."""
    for protocol in TWINS:
        models = [word for model in MODELS for word in ("-m", model)]
        words = ["eval", *models, "-p", protocol, "--data", "synthetic", "-q"]
        keep(folder / f"{protocol}.txt", run([*words, "--draws", "200", "--out", folder]))
    for path in folder.rglob("*.json"):
        values = {
            key: value
            for key, value in json.loads(path.read_bytes()).items()
            if key not in VOLATILE
        }
        keep(path, json.dumps(values, indent=1, sort_keys=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
