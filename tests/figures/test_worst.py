"""Contact sheets of worst errors and of whom a second model hurts most."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.worst import MostHit, WorstErrors, most_hit, worst_errors
from facebench.faces.align.aligners import CentreCrop
from facebench.figures.faces import PairFaces, pair_faces, read_face
from facebench.figures.worst import RIGHT, WRONG, save_sheet, worst
from facebench.records.record import Record
from tests.cli.conftest import faces as _faces
from tests.figures.test_flips import Grey
from tests.helpers.plots import texts_of
from tests.helpers.records import drawn_record

faces = _faces
N = 800


@pytest.fixture
def drawn() -> PairFaces:
    names = tuple(f"$P$ <{i}>/$P$_{'long' * 20}_{i}.jpg" for i in range(N))
    return PairFaces(Grey(), names, names)


def records(kind: str = "real") -> tuple[Record, Record]:
    base = drawn_record("base", kind=kind, per_kind=40, draws=0)
    other = drawn_record("$o$ther", kind=kind, seed=1, strength=3.2, per_kind=40, draws=0)
    return base, other


def found_of(kind: str = "real", number: int = 2) -> list[WorstErrors | MostHit]:
    base, other = records(kind)
    keys = [(f"$P$ <{i}>/a.jpg", f"$P$ <{i}>/b.jpg") for i in range(N)]
    return [worst_errors(base, number, keys), most_hit(base, other, number, "image", keys)]


def test_the_sheet_is_the_same_each_time_whatever_the_names(
    drawn: PairFaces, tmp_path: Path
) -> None:
    for name in ("one.png", "two.png"):
        save_sheet(found_of(number=1)[1], drawn, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    image = cv2.imread(str(tmp_path / "one.png"))
    assert image is not None and image.shape[1] > 900


def test_the_sheet_says_what_it_is_of(drawn: PairFaces, tmp_path: Path) -> None:
    (errors, hits), (_, synthetic) = found_of(), found_of("synthetic")
    texts, drawn_lines = [], []
    for found in (errors, hits, synthetic):
        save_sheet(found, drawn, tmp_path / "x.svg")
        texts.append(texts_of(tmp_path / "x.svg"))
        drawn_lines.append((tmp_path / "x.svg").read_text().lower())
    for text in texts[:2]:
        assert "labels first" in text or "label first" in text
        assert "Whole images: --data does not tell how landmarks-5pt(0f1e2d3c)" in text
    assert "Two people, highest scores" in texts[0] and "✗ wrong" in texts[0]
    assert "$o$ther on lfw: images hit most, 2 of 1,600" in texts[1].replace("→ ", "")
    assert "SYNTHETIC FACES" in texts[2] and "SYNTHETIC FACES" not in texts[1]
    wrong = sum(h.after.right < h.before.right for h in hits.hits)  # type: ignore[union-attr]
    # Two frames of four spines a pair, and the three words above it.
    assert drawn_lines[1].count(f"stroke: {WRONG.lower()}") == 8 * wrong
    assert drawn_lines[1].count(f"stroke: {RIGHT.lower()}") == 8 * (2 - wrong)


def test_faces_are_cut_as_the_record_says(faces: Path, tmp_path: Path) -> None:
    def model(images: Any) -> Any:
        small = images.reshape(len(images), -1)[:, ::997].astype(np.float32)
        return small - small.mean(axis=1, keepdims=True)

    options = facebench.ModelOptions(size=(112, 96))
    settings: dict[str, Any] = {
        "align": "centre",
        "workers": 0,
        "draws": 0,
        "store": False,
        "progress": False,
    }
    record = facebench.evaluate(model, "lfw", faces, options=options, **settings)
    found = pair_faces(record, str(faces), cut=True)
    assert found.size == (112, 96) and found.aligner is not None
    key = found.left[3]
    expected = CentreCrop()(key, found.source.read(key), (112, 96))
    assert expected is not None and np.array_equal(read_face(found, key, "--sheet"), expected)
    told = worst(record, data=faces, sheet=tmp_path / "sheet.png", number=1)
    assert (tmp_path / "sheet.png").exists() and len(told.rows()) == 1
    other = record.model_copy(update={"alignment": "yunet(8f2383e4,score>=0.6)->similarity"})
    whole = pair_faces(other, str(faces), cut=True)
    assert whole.aligner is None and read_face(whole, key, "--sheet").shape == (250, 250, 3)
    unmarked = record.model_copy(update={"alignment": "landmarks-5pt(0f1e2d3c)->similarity"})
    assert pair_faces(unmarked, str(faces), cut=True).aligner is None  # no landmarks.txt there


def test_what_cannot_be_drawn_is_refused(drawn: PairFaces, tmp_path: Path) -> None:
    base, other = records()
    bad = replace(drawn, left=("bad",) * N)
    with pytest.raises(UserError, match="sheet=: bad: is truncated"):
        save_sheet(worst_errors(base, 2), bad, tmp_path / "x.png")
    for keywords, said in (
        ({"sheet": tmp_path / "x.gif"}, "the ending must be one of"),
        ({"sheet": tmp_path / "x.png"}, "sheet= needs the faces"),
        ({"number": 0}, "number=0: show 1 to 120"),
        ({"number": "3"}, "number"),
        ({"by": "person"}, "name a second one"),
        ({"pairs": "x"}, "pairs= is the list of"),
        ({"data": 3}, "data"),
    ):
        with pytest.raises(UserError, match=said):
            worst(base, **keywords)
    with pytest.raises(UserError, match=r"by=.*people.*: person or image"):
        worst(base, other, by="people")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
