"""Damaged files against every reader: ``python -m tests.fuzz --inputs 100000 --seed 1``.

Exit code 1 where a reader has to be mended.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import sys
import time
from pathlib import Path

import cv2
import torch

from tests.fuzz.runner import VERDICTS, Tally, judged, run
from tests.fuzz.target import write
from tests.fuzz.targets import TARGETS


def shares(names: list[str], inputs: int) -> dict[str, int]:
    """How many of all inputs are of each target, by its weight; each gets one at least."""
    whole = sum(TARGETS[name].weight for name in names)
    return {name: max(1, round(inputs * TARGETS[name].weight / whole)) for name in names}


def main(arguments: list[str] | None = None) -> int:
    """Run, print a table and the faults; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=5000, help="over all targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", metavar="TARGET", help="may be given again")
    parser.add_argument("--number", type=int, help="read this input of --only here, with traceback")
    parser.add_argument("--save", type=Path, help="a folder for the first input of each fault")
    parser.add_argument("--list", action="store_true", help="names of the targets")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(TARGETS))
        return 0
    unknown = [name for name in given.only or () if name not in TARGETS]
    if unknown:
        parser.error(f"no target {unknown[0]!r}; --list names them")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    names = given.only or list(TARGETS)
    if given.number is not None:
        return _read_one(names[0], given.seed, given.number, given.save)
    return _run_all(names, given.inputs, given.seed, given.save)


def _run_all(names: list[str], inputs: int, seed: int, save: Path | None) -> int:
    begun, tallies = time.monotonic(), []
    heads = "".join(f"{name:>10}" for name in VERDICTS)
    print(f"{'target':<22}{heads}   peak MiB  slowest s")
    for name, count in shares(names, inputs).items():
        tally = Tally(name)
        for outcome in run(TARGETS[name], seed, range(count)):
            tally.add(outcome)
        print(_row(tally), flush=True)
        _tell_faults(tally, seed, save)
        tallies.append(tally)
    whole = Tally("all")
    for tally in tallies:
        whole.verdicts += tally.verdicts
        whole.memory = max(whole.memory, tally.memory)
        whole.slowest = max(whole.slowest, tally.slowest)
    print(_row(whole))
    faults = sum(len(tally.faults) for tally in tallies)
    total = sum(whole.verdicts.values())
    seconds = time.monotonic() - begun
    print(f"{total:,} inputs, seed {seed}, {seconds:.0f} s: {faults or 'no'} kinds of faults")
    return 1 if faults else 0


def _row(tally: Tally) -> str:
    counts = "".join(f"{tally.verdicts[name] or '–':>10}" for name in VERDICTS)
    return f"{tally.target:<22}{counts}{tally.memory >> 20:>11}{tally.slowest:>11.2f}"


def _tell_faults(tally: Tally, seed: int, save: Path | None) -> None:
    for (verdict, what, where), found in tally.faults.items():
        first = found[0]
        print(f"  {verdict} ×{len(found)} {what} {where} (--number {first.number})", flush=True)
        if save is not None:
            files = TARGETS[tally.target].files(seed, first.number)
            write(files, save / f"{tally.target}-{seed}-{first.number}")


def _read_one(name: str, seed: int, number: int, save: Path | None) -> int:
    import tempfile
    import traceback

    target = TARGETS[name]
    files = target.files(seed, number)
    if save is not None:
        write(files, save)
    with tempfile.TemporaryDirectory() as folder:
        write(files, Path(folder))
        try:
            target.read(Path(folder))
        except BaseException:
            traceback.print_exc()
    with tempfile.TemporaryDirectory() as folder:
        verdict, what, where = judged(target, files, Path(folder))
    print(verdict, what, where)
    return 0


if __name__ == "__main__":
    sys.exit(main())
