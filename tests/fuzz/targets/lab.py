"""What training and pruning read: crops in zip files, checkpoints, curves, folders of work."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
import torch

from facebench.faces.types import ImageError
from facebench.lab.data.bank import BankPlan, open_bank
from facebench.lab.data.crops import prepare_crops
from facebench.lab.data.labelled import labelled_faces, read_identities
from facebench.lab.filters.curve import read_curve, write_curve
from facebench.lab.laboratory.work_folder import last_speed, published_hash
from facebench.lab.learning.diagnostics import write_diagnostics
from facebench.lab.learning.loop import load_checkpoint
from facebench.lab.learning.plot import read_log
from facebench.lab.learning.precision import chosen_precision
from facebench.lab.metrics.projection import _read as read_final
from facebench.reports.documents import Documents
from facebench.reports.facts import _read_diagnostics
from tests.fuzz.mutations import (
    bytes_changed,
    json_changed,
    lines_changed,
    zip_changed,
)
from tests.fuzz.target import ROOT, Files, Target, shipped
from tests.fuzz.targets.images import jpeg_crop
from tests.fuzz.targets.programs import foreign_torch_file, saved

INDEX = b"file,source,identity\na.jpg,crops,A\nb.jpg,crops,A\nc.jpg,crops,B\nd.jpg,crops,\n"
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@lru_cache(maxsize=8)
def _zip(packing: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name in "abcd":
            archive.writestr(zipfile.ZipInfo(f"{name}.jpg"), jpeg_crop(), packing)
    return out.getvalue()


def _indexed(rng: Random) -> Files:
    data = _zip(rng.choice(_PACKINGS))
    drawn = rng.random()
    if drawn < 0.5:
        return {"index.csv": INDEX, "crops.zip": bytes_changed(rng, data)}
    if drawn < 0.6:
        return {"index.csv": INDEX, "crops.zip": zip_changed(rng, data, ("d.jpg", "../x"))}
    return {"index.csv": lines_changed(rng, INDEX, ","), "crops.zip": data}


def _read_indexed(folder: Path) -> None:
    prepare_crops(folder, folder / "cache", None)


def _read_labelled(folder: Path) -> None:
    faces = labelled_faces(str(folder))
    faces.source.fingerprint(faces.keys)
    for key in faces.keys[:4]:
        with contextlib.suppress(ImageError):  # as an extraction, which lists such faces
            faces.aligner(key, faces.source.read(key), (112, 96))


def _curve(rng: Random) -> Files:
    values = json.loads(rng.choice(shipped("reports/results/diagnostics/filters/*.json")))
    return {"own.json": json_changed(rng, values)}


def _read_curve(folder: Path) -> None:
    write_curve(replace(read_curve(folder / "own.json"), model="own"), folder)


def _diagnostics(rng: Random) -> Files:
    values = json.loads(rng.choice(shipped("reports/results/diagnostics/*.json")))
    return {"diagnostics/own.json": json_changed(rng, values)}


def _read_figures(folder: Path) -> None:
    _read_diagnostics(folder / "diagnostics/own.json")
    write_diagnostics("own", {"training_error": 0.1}, "a test", folder)


@lru_cache(maxsize=1)
def _checkpoint() -> bytes:
    ones = torch.ones(2, 2)
    return saved({"net": {"a": ones}, "supervision": {"b": ones}, "masks": {}, "step": 3})


def _final(rng: Random) -> Files:
    if rng.random() < 0.3:
        return {"final.pt": foreign_torch_file(rng)}
    change = bytes_changed if rng.random() < 0.7 else zip_changed
    return {"final.pt": change(rng, _checkpoint())}


def _read_final(folder: Path) -> None:
    load_checkpoint(folder / "final.pt")
    read_final(folder / "final.pt")


LOG = b"step,identity,regression,faces_per_second\n100,5.1,0.2,900.0\n200,4.1,0.1,905.5\n"


def _work(rng: Random) -> Files:
    return {
        "log.csv": lines_changed(rng, LOG, ","),
        "published.json": json_changed(rng, {"sha256": "0" * 64}),
        "precision.json": json_changed(rng, {"chosen": "float32", "faces_per_second": {}}),
        "identities.txt": lines_changed(rng, b"A\nB\n", " "),
    }


def _read_work(folder: Path) -> None:
    ways = (
        lambda: last_speed(folder / "log.csv"),
        lambda: read_log(folder / "log.csv"),
        lambda: published_hash(folder),
        lambda: chosen_precision(folder),
        lambda: read_identities(folder / "identities.txt"),
    )
    failed = []
    from facebench.base.errors import UserError

    for way in ways:
        try:
            way()
        except UserError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _rows(rng: Random) -> Files:
    table = rng.choice(sorted((ROOT / "docs/tables").glob("*.csv")))
    return {
        "own.csv": lines_changed(rng, table.read_bytes(), ","),
        "own.toml": table.with_suffix(".toml").read_bytes(),
    }


def _read_rows(folder: Path) -> None:
    Documents(folder).renewed("<!-- rows own --><!-- end -->")


@lru_cache(maxsize=1)
def _bank() -> tuple[bytes, bytes]:
    faces, answers = io.BytesIO(), io.BytesIO()
    np.save(faces, np.zeros((1024, 1, 1, 3), np.uint8))
    np.savez(answers, targets=np.ones((1024, 2), np.float16), sources=np.zeros((1024, 2), np.int32))
    return faces.getvalue(), answers.getvalue()


def _bank_files(rng: Random) -> Files:
    faces, answers = _bank()
    if rng.random() < 0.4:
        return {"faces-00000.npy": bytes_changed(rng, faces), "answers-00000.npz": answers}
    change = bytes_changed if rng.random() < 0.5 else zip_changed
    return {"faces-00000.npy": faces, "answers-00000.npz": change(rng, answers)}


def _read_bank(folder: Path) -> None:
    bank = open_bank(folder, BankPlan(1000), "x")
    assert len(bank.targets) == len(bank.sources) == 1000
    assert bank.faces[999].shape


TARGETS = (
    Target("zips of crops", _indexed, _read_indexed),
    Target("zips of faces", _indexed, _read_labelled),
    Target("curves", _curve, _read_curve),
    Target("diagnostics", _diagnostics, _read_figures),
    Target("checkpoints", _final, _read_final),
    Target("folders of work", _work, _read_work),
    Target("rows of pages", _rows, _read_rows, 0.5),
    Target("banks (.npz)", _bank_files, _read_bank, 0.5),
)
