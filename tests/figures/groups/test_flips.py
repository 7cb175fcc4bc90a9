"""The contact sheet of what changed sides, by group: of RFW's layout, with faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.cli.app import main
from facebench.comparison.groups.damage import group_damage
from facebench.evaluation.evaluate import evaluate
from facebench.figures.faces import pair_faces
from facebench.figures.groups.flips import EACH, save_flipped_by_group
from facebench.models.embedders.options import ModelOptions
from facebench.records.files import save_record
from facebench.records.record import Record
from tests.helpers import open_sets as sets
from tests.helpers.plots import texts_of


def pixels(faces: np.ndarray) -> np.ndarray:
    small = faces[:, ::16, ::16].astype(np.float32).reshape(len(faces), -1)
    return small - small.mean(axis=1, keepdims=True)


def coarse(faces: np.ndarray) -> np.ndarray:
    return pixels(faces)[:, ::12]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    folder = tmp_path_factory.mktemp("rfw")
    sets.write_rfw(folder)
    options = ModelOptions(size=(112, 112))
    records = [
        evaluate(
            model, "rfw", folder, options=options, align="none", draws=20, workers=0, progress=False
        )
        for model in (pixels, coarse)
    ]
    return folder, records


def test_every_group_has_its_pairs(made, tmp_path: Path) -> None:
    folder, records = made
    found = group_damage(*records, "race", far=0.1, draws=19)
    faces = pair_faces(records[0], str(folder), sheet="--sheet", cut=True)
    save_flipped_by_group(found, faces, tmp_path / "sheet.svg")
    text = texts_of(tmp_path / "sheet.svg")
    for name in found.groups.names:
        own = [one for one in found.flipped if one.group == name]
        worse = sum(one.worse for one in own)
        assert own and f"{name}: {worse} became wrong, {len(own) - worse} became right" in text
        for one in sorted(own, key=lambda flip: not flip.worse)[:EACH]:
            assert f"(no. {one.position + 1})" in text
    for record, accepts in zip(records, found.found.accepts, strict=True):
        assert f"{accepts.threshold:.3f}" in text and record.model.id in text


def test_nothing_changed_is_said(made, tmp_path: Path) -> None:
    folder, records = made
    found = group_damage(records[0], records[0], "race", far=0.1, draws=19)
    with pytest.raises(UserError, match=r"no pair of a group changed between"):
        save_flipped_by_group(found, pair_faces(records[0], str(folder)), tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_on_the_command_line(made, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, records = made
    files = [str(save_record(one, tmp_path / "records")) for one in records]
    sheet = tmp_path / "sheet.png"
    named = ["groups", *files, "--far", "0.1", "--draws", "19", "--sheet", str(sheet)]
    with pytest.raises(SystemExit) as end:
        main(named)
    assert end.value.code == 2 and "--sheet needs the faces" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main([*named, "--data", str(folder)])
    out, err = capsys.readouterr()
    assert end.value.code in (0, None) and f"sheet: {sheet}" in err and "damage by race" in out
    assert sheet.stat().st_size > 50_000
    with pytest.raises(SystemExit) as end:
        main(["groups", files[0], "--sheet", str(sheet)])
    assert end.value.code == 2 and "name a base and one other" in capsys.readouterr().err
