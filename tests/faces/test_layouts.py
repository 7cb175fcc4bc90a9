"""The folders that people have: whatever their images end with, however archives unpack, and with
what systems and tools leave in them.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.base.opening import is_stray
from facebench.faces.align.aligners import LandmarkAligner
from facebench.faces.ijb.images import TemplateFaces
from facebench.faces.images import is_image, without_ending
from facebench.faces.install.installed import check_dataset
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource, lfw_image_folder
from facebench.faces.lfw.lists import read_pairs, require_images
from facebench.faces.locate import locate
from facebench.faces.people import PeopleFolder
from facebench.faces.ytf.align import LabelledBoxAligner
from facebench.faces.ytf.check import check_ytf
from facebench.faces.ytf.frames import YtfSource
from facebench.lab.data.labelled import people_files

STRAY = (
    *(".DS_Store", "._Person_A_0001.jpg", "Thumbs.db", "desktop.ini", "Icon\r", ".gitkeep"),
    *("notes.txt", "Person_A_0001.jpg.json"),
)
STRAY_FOLDERS = (".ipynb_checkpoints", "__MACOSX", "@eaDir", ".git", "$RECYCLE.BIN", "#recycle")


def litter(folder: Path, image: bytes) -> None:
    """What systems and tools leave, in a folder and in all below it."""
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        for name in STRAY:
            (place / name).write_bytes(image)
        for name in STRAY_FOLDERS:
            (place / name / "0").mkdir(parents=True)
            for file in ("Person_A_0001.jpg", f"{name}_0001.jpg", "0/0.1.jpg"):
                (place / name / file).write_bytes(image)


def renamed(folder: Path, endings: tuple[str, ...]) -> None:
    """Give the images below a folder these endings, in turn."""
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
        path.rename(path.with_suffix(endings[number % len(endings)]))


@pytest.mark.parametrize(
    "endings", [(".png",), (".JPG",), (".jpeg",), (".PNG",), (".jpg", ".png", ".JPEG", ".bmp")]
)
def test_lists_give_no_endings(small_lfw: Path, endings: tuple[str, ...]) -> None:
    before = LfwSource(small_lfw)
    keys, fingerprint = before.keys(), before.fingerprint(before.keys())
    image = before.read(keys[0])
    renamed(small_lfw / "lfw", endings)
    source = locate("lfw", small_lfw).source
    assert source.keys() == keys
    require_images(read_pairs(small_lfw / "pairs.txt"), source)
    assert source.fingerprint(keys) == fingerprint  # of the same bytes under the same keys
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(keys[0]), image)
    flat = small_lfw / "flat"
    flat.mkdir()
    for path in (small_lfw / "lfw").glob("*/*"):
        path.rename(flat / path.name)
    side_by_side = FlatFolderSource(flat)
    assert (side_by_side.keys(), side_by_side.fingerprint(keys)) == (keys, fingerprint)


@pytest.mark.parametrize("flat", [False, True])
def test_one_image_with_two_endings_is_said(small_lfw: Path, flat: bool) -> None:
    folder = small_lfw / "lfw" / "Person_A"
    (folder / "Person_A_0001.PNG").write_bytes((folder / "Person_A_0001.jpg").read_bytes())
    source = FlatFolderSource(folder) if flat else LfwSource(small_lfw)
    assert len(source.keys()) == (2 if flat else 8)
    says = rf"^{folder} holds one image .*: Person_A_0001\.PNG, Person_A_0001\.jpg; keep one"
    with pytest.raises(UserError, match=says):
        source.missing(["Person_A/Person_A_0001.jpg"])
    assert source.missing(["Person_A/Person_A_0002.jpg"]) == []


def test_numbers_of_five_digits_are_images(small_lfw: Path) -> None:
    folder = small_lfw / "lfw" / "Person_A"
    for name in ("Person_A_12345.jpg", "Person_A_00003.jpg", "Person_A_3.jpg"):
        (folder / name).write_bytes((folder / "Person_A_0001.jpg").read_bytes())
    keys = LfwSource(small_lfw).keys()
    added = [key for key in keys if "Person_A" in key][2:]
    assert added == ["Person_A/Person_A_12345.jpg"]


@pytest.mark.parametrize("inside", ["lfw-deepfunneled/lfw-deepfunneled", "LFW/lfw", "archive/lfw"])
def test_folders_as_archives_unpack(small_lfw: Path, inside: str) -> None:
    data = small_lfw.parent / "unpacked"
    (data / inside).parent.mkdir(parents=True)
    (small_lfw / "lfw").rename(data / inside)
    (small_lfw / "pairs.txt").rename(data / "pairs.txt")
    litter(data, b"x")
    assert lfw_image_folder(data) == data / inside
    for place in (data, (data / inside).parent, data / inside):
        if place == data or "archive" not in inside:
            assert len(locate("lfw", place).pairs) == 4


def test_kaggle_s_lists(small_lfw: Path) -> None:
    expected = read_pairs(small_lfw / "pairs.txt").pairs
    rows = (small_lfw / "pairs.txt").read_text().split("\n")[1:-1]
    (small_lfw / "pairs.txt").unlink()
    text = "\r\n".join(["name,imagenum1,imagenum2,", *(row.replace("\t", ",") for row in rows)])
    (small_lfw / "pairs.csv").write_text(f"{text.replace('1,2', '1,2,')}\r\n,,,\r\n")
    assert locate("lfw", small_lfw).pairs.pairs == expected
    # The two of a development set are one list, of one fold.
    (small_lfw / "matchpairsDevTest.csv").write_text(
        "name,imagenum1,imagenum2\nPerson_A,1,2\nPerson_C,1,2\n"
    )
    (small_lfw / "mismatchpairsDevTest.csv").write_text(
        "name,imagenum1,name,imagenum2\nPerson_A,1,Person_B,1\nPerson_C,2,Person_D,2\n"
    )
    lists = [read_pairs(small_lfw / f"{kind}pairsDevTest.csv") for kind in ("match", "mismatch")]
    assert lists[0] == lists[1] and len(lists[0]) == 4 and lists[0].cut


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\nA,1,2\n", "line 1: expected the heading name,imagenum1,imagenum2"),
        ("name,imagenum1,imagenum2,\nA,1,2,\nA,1,B\n", "line 3: 'B' is not a number"),
        ("name,imagenum1,imagenum2,\nA,1,2,\n", "needs mated pairs .* and non-mated ones"),
        ("name,imagenum1,imagenum2,\n", "needs mated pairs"),
        ('name,imagenum1\n"A,1\n', "line 2: cannot be read as CSV"),
    ],
)
def test_wrong_csv_lists(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read_pairs(path)


@pytest.mark.parametrize("header", ["3", "1\t3"])
def test_a_list_of_one_fold_is_cut(tmp_path: Path, header: str) -> None:
    rows = [f"P{i}\t1\t2" for i in range(3)] + [f"P{i}\t1\tP{i + 1}\t2" for i in range(3)]
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("\n".join([header, *rows]))
    found = read_pairs(path)
    assert found.cut and [pair.fold for pair in found.pairs] == [0, 1, 2, 0, 1, 2]
    assert [pair.mated for pair in found.pairs] == [True] * 3 + [False] * 3
    path.write_text("1\t1\nA\t1\t2\nA\t1\tB\t1\n")
    assert not read_pairs(path).cut  # the protocol refuses it: no threshold can be learned


def test_what_systems_leave_is_no_face_and_no_person(small_lfw: Path, encode) -> None:
    keys = LfwSource(small_lfw).keys()
    before = [finding.text for finding in check_dataset("lfw", small_lfw)]
    files = people_files_of(small_lfw / "lfw")
    litter(small_lfw, encode())
    assert LfwSource(small_lfw).keys() == keys
    assert [finding.text for finding in check_dataset("lfw", small_lfw)] == before
    assert "8 images of 4 people (all of LFW" in before[1]
    assert people_files_of(small_lfw / "lfw") == files
    assert len(FlatFolderSource(small_lfw / "lfw" / "Person_A").keys()) == 2


def people_files_of(folder: Path) -> tuple[tuple[str, ...], str, list[str]]:
    """What learning from a folder of people takes: identities, fingerprint, keys."""
    files = people_files(folder)
    return files.identities, files.key, PeopleFolder(folder).keys()


@pytest.mark.parametrize("name", [*STRAY[:-2], *STRAY_FOLDERS, "._.DS_Store", "THUMBS.DB"])
def test_stray_names(name: str) -> None:
    assert is_stray(name) and not is_image(name)


def test_names_of_images() -> None:
    assert all(map(is_image, ("a.jpg", "a.JPEG", "b.c.PNG", "#tag.webp", "Thumbs.db.jpg")))
    assert not any(map(is_image, ("a", "jpg", "a.jpg.txt", "a.gif", "._a.jpg")))
    assert without_ending("A\\b.1.JPG") == "A/b.1" and without_ending("A/b.1") == "A/b.1"


def ytf(folder: Path, image: bytes, ending: str = ".jpg") -> Path:
    """Two videos of two frames each, and their boxes; the lists say ``.jpg``."""
    root = folder / "frame_images_DB"
    for person in ("Ann", "Bo"):
        (root / person / "0").mkdir(parents=True)
        rows = []
        for frame in (1, 2):
            (root / person / "0" / f"0.{frame}{ending}").write_bytes(image)
            rows.append(f"{person}\\0\\0.{frame}.jpg,0,20,20,10,10,0,0\n")
        (root / f"{person}.labeled_faces.txt").write_text("".join(rows))
    (folder / "splits.txt").write_text("1,1,Ann/0,Bo/0,0\n")
    return folder


def test_videos_of_other_endings_and_with_strays(tmp_path: Path, encode) -> None:
    folder = ytf(tmp_path / "png", encode(), ".PNG")
    litter(folder, encode())
    source = YtfSource(folder)
    assert source.videos() == ["Ann/0", "Bo/0"]
    assert source.frames("Ann/0") == ["Ann/0/0.1.PNG", "Ann/0/0.2.PNG"]
    boxes = LabelledBoxAligner(source.root, ["Ann", "Bo"])
    boxes.require(source.keys())
    assert boxes("Ann/0/0.1.PNG", np.zeros((40, 40, 3), np.uint8), (112, 96)) is not None
    found = [text for _, text in check_ytf(folder)]
    assert found[1].startswith("frame_images_DB: 2 videos of 2 people")
    assert "frame_images_DB: frames without a row in *.labeled_faces.txt: none" in found
    assert "frame_images_DB: frames that are truncated: none" in found
    plain = LabelledBoxAligner(ytf(tmp_path / "jpg", encode()) / "frame_images_DB", ["Ann", "Bo"])
    assert plain.signature == boxes.signature
    (source.root / "Ann" / "0" / "0.1.jpg").write_bytes(encode())
    with pytest.raises(UserError, match=r"several endings.*: 0\.1\.PNG, 0\.1\.jpg; keep one"):
        source.frames("Ann/0")


def test_images_of_templates_may_have_other_endings(tmp_path: Path, encode) -> None:
    (tmp_path / "img").mkdir()
    for name in ("1.JPG", "2.png", "3.jpg", "3.png"):
        (tmp_path / "img" / name).write_bytes(encode(suffix=Path(name).suffix.lower()))
    faces = ["img/1.jpg", "img/2.jpg#1,2,3,4", "img/3.jpg", "img/4.jpg"]
    source = TemplateFaces("ijba", tmp_path, faces)
    assert source.missing(faces) == ["img/4.jpg"]
    expected = cv2.imdecode(np.frombuffer(encode(), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(source.read("img/1.jpg"), expected)
    np.testing.assert_array_equal(source.read("img/3.jpg"), expected)  # as the list says
    with pytest.raises(UserError, match="several endings"):
        source.missing(["img/3.bmp"])


def test_landmarks_may_name_images_with_other_endings(tmp_path: Path) -> None:
    points = "107\t107\t147\t111\t124\t143\t103\t157\t139\t161"
    path = tmp_path / "landmarks.txt"
    path.write_text(
        f"A/A_0001.png\t{points}\nB/B_0001\t{points}\nC/C_0001 {' '.join(points.split())}"
    )
    aligner = LandmarkAligner.from_file(path)
    aligner.require(["A/A_0001.jpg", "B/B_0001.jpg", "C/C_0001.JPG"])
    with pytest.raises(UserError, match=r"1 \(D/D_0001\.jpg\) of 2 images have no row"):
        aligner.require(["A/A_0001.jpg", "D/D_0001.jpg"])
