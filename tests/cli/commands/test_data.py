from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.cli.commands import data

RUN = CliRunner()


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    for name in ("Person_A", "Person_B"):
        (folder / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            path = folder / "lfw" / name / f"{name}_{number:04d}.jpg"
            cv2.imwrite(str(path), np.full((20, 20, 3), 40 * number, np.uint8))
    (folder / "pairs.txt").write_text("1\t1\nPerson_A\t1\t2\nPerson_A\t1\tPerson_B\t1\n")
    return folder


def test_get_installs_where_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[tuple[Path | None, bool]] = []

    def fake(into: Path | None, *, funneled: bool) -> Path:
        calls.append((into, funneled))
        return (into or data_folder()) / "lfw"

    monkeypatch.setattr(data, "get_lfw", fake)
    result = RUN.invoke(data.app, ["get", "lfw", "--funneled", "--into", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert calls == [(tmp_path, True)]
    assert "--data" in result.output
    assert RUN.invoke(data.app, ["get", "lfw"]).exit_code == 0
    assert calls[-1] == (None, False)


@pytest.mark.parametrize(
    ("name", "message"),
    [("lwf", "did you mean 'lfw'"), ("ijba", "https://"), ("cfp-fp", r"cfp_fp\.bin")],
)
def test_get_of_what_cannot_be_downloaded(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RUN.invoke(data.app, ["get", name], catch_exceptions=False)


def test_list_shows_every_set(lfw: Path) -> None:
    shutil.copytree(lfw, data_folder() / "lfw")
    result = RUN.invoke(data.app, ["list"], env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    for word in ("lfw-", "cplfw", "ytf", "registration", "not installed"):
        assert word in result.output
    assert str(data_folder() / "ytf") in result.output.replace("\n", "")


def test_unpacked_sets_are_checked_without_a_name() -> None:
    (data_folder() / "ytf").mkdir(parents=True)
    result = RUN.invoke(data.app, ["check"])
    assert result.exit_code == 1
    assert result.output == (
        "WRONG ytf: no YouTube Faces here: neither frame_images_DB/ nor aligned_images_DB/, nor "
        "splits.txt\n"
    )
    assert RUN.invoke(data.app, ["check", "ytf"]).output == result.output


def test_get_of_a_registered_set_says_where_to_put_it() -> None:
    with pytest.raises(UserError, match=rf"unpack into {data_folder() / 'ijbc'}$"):
        RUN.invoke(data.app, ["get", "ijbc"], catch_exceptions=False)


def test_check_ends_with_1_where_something_is_wrong(lfw: Path) -> None:
    result = RUN.invoke(data.app, ["check", "lfw", "--data", str(lfw)])
    assert result.exit_code == 1
    assert "WRONG lfw: 4 images of 2 people" in result.output
    assert "ok    lfw: 2 pairs in 1 folds" in result.output


def test_check_without_data(lfw: Path) -> None:
    assert "no data set is installed" in RUN.invoke(data.app, ["check"]).output
    with pytest.raises(UserError, match="lfw is not installed"):
        RUN.invoke(data.app, ["check", "lfw"], catch_exceptions=False)
    with pytest.raises(UserError, match="data= needs the name"):
        RUN.invoke(data.app, ["check", "--data", str(lfw)], catch_exceptions=False)
    shutil.copytree(lfw, data_folder() / "lfw")
    assert "WRONG lfw" in RUN.invoke(data.app, ["check"]).output


def test_a_folder_becomes_a_protocol_and_a_record(
    run: Callable[..., Any], faces: Path, work: Path
) -> None:
    photos = work / "my photos"
    (faces / "lfw").rename(photos)
    (photos / "Person_A" / "Person_A_0001.jpg").rename(photos / "Person_A" / "IMG 1.jpg")
    found = run("data", "pairs", photos, "-o", "protocols/staff.toml", "--folds", 3)
    assert (found.code, found.err) == (0, "")
    assert "mated pairs      36" in found.out and "folds            3" in found.out
    assert found.out.endswith(f"next: facebench eval -m MODEL -p staff --data '{photos}'\n")
    found = run("data", "search", photos, "-o", "door.toml", "--known", 1)
    assert found.code == 0 and "-p door.toml" in found.out
    arguments = ("--size", "112x96", "--workers", "0", "--draws", "20", "--align", "centre")
    found = run("eval", "-m", "tiny_model:make", *arguments, "-p", "staff", "-p", "door.toml",
                "--data", photos, "--out", "records")  # fmt: skip
    assert found.code == 0 and "· my-photos" in found.out and "NOT THE PUBLISHED" not in found.out
    assert len(list((work / "records").rglob("*.json"))) == 2
    assert "ends in .toml" in run("data", "pairs", photos, "-o", "staff.csv").line


def test_a_search_with_distractors_becomes_a_record(
    run: Callable[..., Any], faces: Path, work: Path
) -> None:
    photos, crowd = work / "photos", work / "crowd"
    people = sorted(path for path in (faces / "lfw").iterdir() if path.is_dir())
    for number, person in enumerate(people):
        shutil.copytree(person, (photos if number % 2 else crowd) / person.name)
    found = run("data", "search", photos, "-o", "gate.toml", "--distractors", crowd)
    assert found.code == 0 and "distractors               18" in found.out
    assert found.out.endswith(f"-p gate.toml --data {photos} --distractors {crowd}\n")
    asked = ("data", "search", photos, "-o", "x.toml", "--distractors", crowd, "--draws", 3)
    assert "--draws 3 has no effect with --distractors" in run(*asked).line
    arguments = ("--size", "112x96", "--workers", "0", "--draws", "20", "--align", "centre")
    found = run("eval", "-m", "tiny_model:make", *arguments, "-p", "gate.toml", "--data", photos,
                "--distractors", crowd, "--index", "flat")  # fmt: skip
    assert found.code == 0 and "searched by: FAISS" in found.out and "rank-1" in found.out


def test_a_folder_is_checked(run: Callable[..., Any], faces: Path, work: Path) -> None:
    photos = work / "my photos"
    (faces / "lfw").rename(photos)
    found = run("data", "check", photos, "--quiet")
    assert (found.code, found.err) == (0, "") and "nothing wrong was found" in found.out
    assert "my-photos: 36 images of 12 people" in found.out
    (photos / "Person_A" / "empty.jpg").write_bytes(b"")
    shutil.copy(photos / "Person_B" / "Person_B_0001.jpg", photos / "Person_C" / "stray.jpg")
    model = ("-m", "tiny_model:make", "--size", "112x96", "--workers", 0, "--align", "centre")
    found = run("data", "check", photos, *model, "--sheet", "sheet.png", "-o", "faults.csv",
                "--format", "csv", "--quiet")  # fmt: skip
    assert found.code == 1 and found.out == "" and "sheet: sheet.png" in found.err
    rows = (work / "faults.csv").read_text()
    assert "empty,wrong,Person_A,Person_A/empty.jpg" in rows and "wrong label,wrong,Pers" in rows
    assert (work / "sheet.png").stat().st_size > 1000


def test_a_known_name_is_a_data_set_and_a_path_a_folder(
    run: Callable[..., Any], faces: Path, work: Path
) -> None:
    (faces / "lfw").rename(work / "lfw")
    assert "lfw is not installed" in run("data", "check", "lfw").line
    assert "lfw: 36 images of 12 people" in run("data", "check", "./lfw", "--quiet").out
    assert "did you mean 'lfw'" in run("data", "check", "lwf").line
    assert "--model baseline is of a folder" in run("data", "check", "lfw", "-m", "baseline").line
    assert "is of a known data set" in run("data", "check", "./lfw", "--data", work).line


def test_people_of_two_folders_are_found(run: Callable[..., Any], faces: Path, work: Path) -> None:
    (faces / "lfw").rename(work / "test")
    for name in ("Person_A", "Person_B"):
        shutil.copytree(work / "test" / name, work / "train" / name.lower())
    model = ("-m", "tiny_model:make", "--size", "112x96", "--workers", 0, "--align", "centre")
    assert run("data", "pairs", "test", "-o", "staff.toml", "--folds", 3).code == 0
    found = run("data", "overlap", "train", "test", *model, "-p", "staff.toml", "-o", "both.csv",
                "--by-chance", 0.01)  # fmt: skip
    assert found.code == 0, found.err
    assert "people of test who are in train" in found.out
    assert "2 (16.7%)" in found.out, found.out
    assert "without them %" in found.out and "expected by chance" in found.out
    assert (work / "both.csv").read_text().splitlines()[1].startswith("Person_A,person_a,True")
    assert "there is no folder nowhere" in run("data", "overlap", "nowhere", "test", *model).line


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_an_image_that_is_none_is_told_and_no_bug(kind: str, lfw: Path) -> None:
    """Case 12 of version 0.1, which ended in a traceback."""
    path = lfw / "lfw" / "Person_A" / "Person_A_0002.jpg"
    path.unlink()
    if kind == "link":
        path.symlink_to("/nowhere")
    else:
        path.mkdir()
    result = RUN.invoke(data.app, ["check", "lfw", "--data", str(lfw)])
    assert result.exit_code == 1 and "1 (Person_A/Person_A_0002.jpg)" in result.output
    result = RUN.invoke(data.app, ["check", str(lfw / "lfw"), "--quiet"])
    assert result.exit_code == 1 and "Person_A/Person_A_0002.jpg: " in result.output
