"""Every reader of a text that users bring takes it as any editor saves it: with a byte-order mark,
with any line end, with tabs and blanks at the end of lines, with or without the last line's end.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.base.validation import read_toml
from facebench.embedding.precomputed import load_embeddings
from facebench.faces.align.landmarks import read_landmarks
from facebench.faces.ijb.ijba import read_face_rows
from facebench.faces.ijb.ijbc import read_face_points, read_ijbc, read_number_rows
from facebench.faces.lfw.lists import read_pairs, read_people
from facebench.faces.lfw.rendered import marked_as
from facebench.faces.people import ZippedCrops, read_index
from facebench.faces.ytf.lists import read_boxes, read_splits
from facebench.gate.rules import read_rules
from facebench.lab.data.labelled import read_identities
from facebench.models.cards.names import card_for
from facebench.protocols.cards import load_protocol
from facebench.protocols.kinds.search_lists import _names_in
from facebench.records.costs import read_costs
from facebench.records.files import read_record
from facebench.reports.card import read_report
from tests.helpers.ijb_folders import metadata

RESULTS = Path(__file__).parents[1] / "reports" / "results"
POINTS = "107 107 147 111 124 143 103 157 139 161"
Reader = Callable[[Path], object]


def names_of(path: Path) -> object:
    npy = path.with_suffix(".npy")
    np.save(npy, np.eye(3, dtype=np.float32))
    return load_embeddings(npy, path).keys


def points_of(path: Path) -> object:
    found = read_face_points(path)
    assert found is not None
    return found.scores, {key: points.tolist() for key, points in found.landmarks.items()}


def ijbc_of(path: Path) -> object:
    """The list of templates or of comparisons, beside the other one."""
    for name, rows in (("face_tid_mid", "1.jpg 5 1\n2.jpg 6 2\n3.jpg 7 3"),
                       ("template_pair_label", "5 6 1\n5 7 0")):  # fmt: skip
        other = path.with_name(f"ijbc_{name}.txt")
        if not other.exists():
            other.write_text(rows)
    return read_ijbc(path.parent, "ijbc").digest()


def zipped(path: Path) -> object:
    with zipfile.ZipFile(path.with_name("set.zip"), "w") as archive:
        archive.writestr("a.png", b"")
    source = ZippedCrops(path)
    return {key: source.identity(key) for key in source.keys()}  # noqa: SIM118


def shipped(pattern: str) -> str:
    return next(RESULTS.glob(pattern)).read_text(encoding="utf-8")


READERS: dict[str, tuple[str, str, Reader]] = {
    "pairs": (
        "pairs.txt",
        "2\t1\nA\t1\t2\nA\t1\tB\t1\nC\t1\t2\nC\t2\tD\t2\n",
        lambda p: read_pairs(p),
    ),
    "pairs with blanks": ("pairs.txt", "1\nA 1 2\nA 1 B 1\n", lambda p: read_pairs(p)),
    "Kaggle's pairs": (
        "pairs.csv",
        "name,imagenum1,imagenum2,\nA,1,2,\nA,1,B,1\nC,1,2,\nC,2,D,2\n",
        lambda p: read_pairs(p),
    ),
    "people": ("people.txt", "1\n2\nAnn Lee\t3\nBo\t1\n", lambda p: read_people(p)),
    "landmarks": (
        "landmarks.txt",
        f"A.jpg\t{POINTS.replace(' ', chr(9))}\nB.jpg\t{POINTS.replace(' ', chr(9))}\n",
        lambda p: {key: points.tolist() for key, points in read_landmarks(p).items()},
    ),
    "landmarks with blanks": (
        "landmarks.txt",
        f"A.jpg {POINTS}\nB.jpg {POINTS}\n",
        lambda p: {key: points.tolist() for key, points in read_landmarks(p).items()},
    ),
    "videos": (
        "splits.txt",
        "split number, pair number, first name, second name, is same\n1, 1, A/0, B/0, 0\n",
        lambda p: read_splits(p),
    ),
    "boxes": (
        "A.labeled_faces.txt",
        "A\\0\\0.1.jpg,0,20,20,10,10,0,0\nA\\0\\0.2.jpg,0,20,20,10,10,0,0\n",
        lambda p: read_boxes(p, "A"),
    ),
    "faces of IJB-A": (
        "verify_metadata_1.csv",
        metadata(),
        lambda p: (
            (rows := read_face_rows(p)).files,
            rows.numbers.tolist(),
            str(rows.boxes.tolist()),  # NaN is not itself
        ),
    ),
    "comparisons of IJB-A": (
        "verify_comparisons_1.csv",
        "5,6\n5,7\n",
        lambda p: read_number_rows(p, 2, "two numbers").tolist(),
    ),
    "comparisons of IJB-C": ("ijbc_template_pair_label.txt", "5 6 1\n5 7 0\n", ijbc_of),
    "templates of IJB-C": ("ijbc_face_tid_mid.txt", "1.jpg 5 1\n2.jpg 6 2\n3.jpg 7 3\n", ijbc_of),
    "points of IJB-C": (
        "ijbc_name_5pts_score.txt",
        f"1.jpg {POINTS} 0.5\n2.jpg {POINTS} 0.25\n",
        points_of,
    ),
    "subjects": ("subjects.txt", "# mine\nAnn_Lee\n#bo\nCy\n", _names_in),
    "names": ("names.txt", "a b\nc\nd\n", names_of),
    "names as CSV": ("names.csv", 'name,x\n"a b",1\nc,2\nd,3\n', names_of),
    "names as JSON": ("names.json", '[\n"a b",\n"c",\n"d"\n]\n', names_of),
    "index of crops": ("index.csv", "file,source,identity\na.png,set,Ann\n", read_index),
    "index of faces": ("index.csv", "file,x,source,identity\na.png,1,set,Ann\n", zipped),
    "identities": ("list.txt", "Ann Lee\nBo\n", read_identities),
    "TOML": ("any.toml", 'a = 1\n[b]\nc = "x"\n', read_toml),
    "model card": (
        "mine.toml",
        'name = "mine"\ntitle = "Mine"\narchitecture = "onnx"\nweights = "a.onnx"\n',
        lambda p: card_for(str(p)).model_dump(exclude={"path"}),
    ),
    "protocol card": (
        "mine.toml",
        (RESULTS.parents[1] / "protocols" / "lfw.toml").read_text().replace('"lfw"', '"mine"', 1),
        lambda p: load_protocol(str(p)),
    ),
    "report card": (
        "table1.toml",
        (RESULTS.parent / "table1.toml").read_text(encoding="utf-8"),
        lambda p: read_report(p).model_dump(exclude={"path"}),
    ),
    "rules": (
        "gate.toml",
        'rules = [\n"lfw.accuracy drop <= 0.3pt at 95%",\n]\n',
        lambda p: read_rules(p),
    ),
    "record": ("r.json", shipped("lfw/*/*.json"), lambda p: read_record(p).digest()),
    "costs": ("c.json", shipped("costs/*.json"), lambda p: read_costs(p)),
    "marker": ("COMPLETE.json", json.dumps({"fingerprint": "x"}), lambda p: marked_as(p.parent)),
}
BOM = b"\xef\xbb\xbf"
SAVED: dict[str, Callable[[bytes], bytes]] = {
    "byte-order mark": lambda data: BOM + data,
    "Windows": lambda data: BOM + data.replace(b"\n", b"\r\n"),
    "old Mac": lambda data: data.replace(b"\n", b"\r"),
    "tabs and blanks at line ends": lambda data: data.replace(b"\n", b" \t\n"),
    "the same from Windows": lambda data: data.replace(b"\n", b"\t\t\r\n"),
    "no end of the last line": lambda data: data.rstrip(b"\n"),
    "empty lines at the end": lambda data: data + b"\n \n\n",
}


@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("reader", READERS)
def test_as_any_editor_saves_it(tmp_path: Path, reader: str, saved: str) -> None:
    name, text, read = READERS[reader]
    path = tmp_path / name
    path.write_bytes(text.encode())
    expected = read(path)
    assert expected
    path.write_bytes(SAVED[saved](text.encode()))
    assert read(path) == expected
