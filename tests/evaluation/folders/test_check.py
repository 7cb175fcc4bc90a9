"""A folder of faces with one fault of every kind: each is found, and nothing else is."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.evaluation.folders.check import check_folder
from facebench.faces.faults import FolderFaults
from facebench.figures.contact import save_contact_sheet
from facebench.protocols.cards import read_protocol
from facebench.protocols.drawn import draw_pairs
from facebench.tables.folders import faults_csv, faults_json, faults_table
from tests.helpers.pixels import OPTIONS, QUICK, folder_of, pixels


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 people, and one fault of every kind that needs no detector."""
    folder = folder_of(tmp_path_factory.mktemp("check") / "My photos")
    at = [folder / f"Person {n:02d}" for n in range(24)]
    (at[0] / "empty.jpg").write_bytes(b"")
    (at[1] / "cut.jpg").write_bytes((at[1] / "IMG 0.jpg").read_bytes()[:-40])
    cv2.imwrite(str(at[2] / "tiny.png"), cv2.imread(str(at[2] / "IMG 0.jpg"))[:30, :30])
    shutil.copy(at[3] / "IMG 0.jpg", at[3] / "copy.jpg")
    shutil.copy(at[4] / "IMG 0.jpg", at[5] / "stray.jpg")
    again = cv2.imread(str(at[6] / "IMG 0.jpg"))
    cv2.imwrite(str(at[6] / "again.jpg"), again, [cv2.IMWRITE_JPEG_QUALITY, 60])
    (at[7] / "IMG 3.jpg").rename(at[8] / "moved.jpg")
    (folder / "Alone").mkdir()
    (at[9] / "IMG 3.jpg").rename(folder / "Alone" / "one.jpg")
    return folder


@pytest.fixture(scope="module")
def found(photos: Path) -> FolderFaults:
    return check_folder(photos, pixels, options=OPTIONS, settings=QUICK)


def images(found: FolderFaults, kind: str) -> list[str]:
    return [fault.image for fault in found.faults if fault.kind == kind]


def test_every_fault_is_found(found: FolderFaults) -> None:
    assert images(found, "empty") == ["Person 00/empty.jpg"]
    assert images(found, "unreadable") == ["Person 01/cut.jpg"]
    assert images(found, "tiny") == ["Person 02/tiny.png"]
    assert images(found, "same file") == ["Person 03/copy.jpg", "Person 05/stray.jpg"]
    assert images(found, "one image") == ["Alone/one.jpg"]
    stray = next(fault for fault in found.faults if fault.image == "Person 05/stray.jpg")
    assert stray.what == "the bytes of Person 04/IMG 0.jpg, of another person"
    same = [(f.other, f.image) for f in found.faults if f.kind == "same face"]
    assert same == [("Person 06/IMG 0.jpg", "Person 06/again.jpg")]
    wrong = {f.image: f.other for f in found.faults if f.kind == "wrong label"}
    assert wrong["Person 08/moved.jpg"] == "Person 07"
    assert wrong["Person 05/stray.jpg"] == "Person 04"
    assert set(wrong) <= {"Person 08/moved.jpg", "Person 05/stray.jpg", "Person 02/tiny.png"}
    assert found.wrong and (found.images, found.people) == (24 * 4 + 6, 25)


def test_rules_are_told_and_what_was_not_looked_for(found: FolderFaults, photos: Path) -> None:
    assert any("of their own copy" in rule or "own copy" in rule for rule in found.rules)
    told = next(rule for rule in found.rules if rule.startswith("wrong label"))
    assert "given another name by lot (aim: 90%)" in told and "can be false alarms" in told
    assert found.unseen == ("several faces or none: name a YuNet file with --detector",)
    plain = check_folder(photos)
    assert [line.partition(":")[0] for line in plain.unseen] == [
        "several faces or none", "the same face, and likely wrong labels",
    ]  # fmt: skip
    assert not images(plain, "wrong label") and not images(plain, "same face")
    assert images(plain, "same file") == images(found, "same file")


def test_it_is_called_as_the_evaluation_calls_it(
    found: FolderFaults, photos: Path, tmp_path: Path
) -> None:
    card = draw_pairs(photos, tmp_path / "staff.toml").card
    assert found.name == read_protocol(card).dataset == "my-photos"
    assert found.fingerprint.startswith("my-photos-")


def test_tables_say_all_of_it(found: FolderFaults) -> None:
    table = faults_table(found)
    assert table.title == "my-photos: 102 images of 25 people"
    counts = {row.cells[0].text: row.cells[1].text for row in table.rows}
    assert counts["same file"] == "2" and counts["one image"] == "1"
    rows = list(csv.DictReader(io.StringIO(faults_csv(found))))
    assert len(rows) == len(found.faults)
    assert {row["fault"] for row in rows if row["kind"] == "one image"} == {"noted"}
    told = json.loads(faults_json(found))
    assert told["counts"]["empty"] == 1 and len(told["found"]) == len(rows)


def test_a_contact_sheet_shows_them(found: FolderFaults, tmp_path: Path) -> None:
    assert save_contact_sheet(found, tmp_path / "sheet.png")
    drawn = cv2.imread(str(tmp_path / "sheet.png"))
    assert drawn is not None and drawn.shape[1] > 1000 and drawn.std() > 20


def test_a_clean_folder_is_clean(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "clean", people=12, images=3)
    found = check_folder(folder, pixels, options=OPTIONS, settings=QUICK)
    assert not found.faults and not found.wrong
    assert not save_contact_sheet(found, tmp_path / "sheet.png")
    assert faults_table(found).rows[0].cells[0].text == "nothing wrong was found"


def test_faces_are_counted_by_a_detector(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "lfw-mini" / "lfw"
    (tmp_path / "photos" / "Ann").mkdir(parents=True)
    faces = sorted(source.rglob("*.jpg"))[:40:30]
    left, right = (cv2.imread(str(path)) for path in faces)
    both = np.hstack([left, right])
    cv2.imwrite(str(tmp_path / "photos" / "Ann" / "both.jpg"), both)
    cv2.imwrite(str(tmp_path / "photos" / "Ann" / "none.jpg"), np.full((250, 250, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "photos" / "Ann" / "one.jpg"), left)
    model = shared_data / "yunet" / "yunet_n_320_320.onnx"
    found = check_folder(tmp_path / "photos", settings=QUICK.__class__(detector=model))
    assert images(found, "several faces")[0] == "Ann/both.jpg"
    assert images(found, "no face") == ["Ann/none.jpg"]


def test_what_cannot_be_looked_at_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        check_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no images in folders of people"):
        check_folder(tmp_path / "empty")
