"""Evaluations of embeddings as a template keeps them."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import facebench
from facebench.base.errors import UserError
from facebench.records.comparability import method_of, require_comparable, told_apart
from facebench.similarity.cosine import cosine_pairs
from facebench.similarity.templates import kept, principal_axes
from facebench.tables.records import record_table
from tests.evaluation.test_evaluate import QUICK, Grey

ALL = "fp32,fp16,int8,binary"


class Kept(Grey):
    """Gives what a template keeps, so that plain embeddings of it are the template's."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code
        self.weights_hash = f"{len(code)}{ord(code[0])}" * 16

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return kept(super().forward(faces), self.code)  # type: ignore[arg-type]


def evaluated(faces: Path, protocol: str = "lfw", **settings: Any) -> list[facebench.Record]:
    return list(facebench.evaluate_many(Grey(), [protocol], faces, **QUICK | settings))


def test_every_template_is_a_record_of_the_same_passes(faces: Path) -> None:
    model = Grey()
    records = facebench.evaluate_many(model, "lfw", faces, template=ALL, **QUICK)
    assert model.seen == 16  # the others are of the store
    assert [r.model.template for r in records] == ["", "fp16", "int8", "binary"]
    assert [r.model.bytes_per_face for r in records] == [672, 336, 172, 21]
    assert ["template" in r.signature for r in records] == [False, True, True, True]
    assert records[0] == facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert told_apart(records) == ["fp32", "fp16", "int8", "binary"]
    assert len({method_of(record) for record in records}) == 4
    (differs,) = require_comparable(records[0], records[2])
    assert str(differs) == "template - against int8"


@pytest.mark.parametrize("code", ["fp16", "int8", "binary"])
def test_scores_are_those_of_the_kept_embeddings(faces: Path, code: str) -> None:
    record = facebench.evaluate(Grey(), "lfw", faces, template=code, **QUICK)
    plain = facebench.evaluate(Kept(code), "lfw", faces, **QUICK)
    assert record.table is not None and plain.table is not None
    assert np.array_equal(record.table.scores, plain.table.scores)
    assert record.statistics == plain.statistics


@pytest.mark.parametrize("protocol", ["lfw-all-pairs"])
@pytest.mark.parametrize("code", ["int8", "binary"])
def test_all_pairs_too(faces: Path, protocol: str, code: str) -> None:
    (record,) = evaluated(faces, protocol, template=code)
    plain = facebench.evaluate(Kept(code), protocol, faces, **QUICK)
    assert record.statistics == plain.statistics


def test_bits_tie_where_distances_do(faces: Path) -> None:
    """Decisions and accuracy by Hamming distances, counted with whole numbers."""
    record = facebench.evaluate(Grey(), "lfw", faces, template="binary", **QUICK)
    assert record.table is not None
    distances = (1 - record.table.scores) * 168 / 2
    assert distances == pytest.approx(np.rint(distances), abs=1e-9)
    assert len(np.unique(record.table.scores)) == len(np.unique(np.rint(distances)))


def test_the_table_has_a_column_of_bytes(faces: Path) -> None:
    table = record_table(evaluated(faces, template=ALL))
    headings = [column.heading for column in table.columns]
    at = headings.index("bytes per face")
    assert [(r.cells[at].text, r.cells[at].detail) for r in table.rows] == [
        ("672", "fp32"),
        ("336", "fp16"),
        ("172", "int8"),
        ("21", "binary"),
    ]
    said = "bytes per face: of an embedding as the template keeps it"
    assert any(said in line for line in table.reading)
    whole = record_table(evaluated(faces))
    assert "bytes per face" not in [column.heading for column in whole.columns]


def test_a_record_with_a_template_is_read_as_it_was_written(faces: Path) -> None:
    (record,) = evaluated(faces, template="int8")
    path = facebench.save_record(record, faces / "records")
    again = facebench.read_record(path)
    assert again == record and again.model.template == "int8"
    frame = again.to_frame()
    assert frame["template"][0] == "int8" and frame["bytes_per_face"][0] == 172


def test_embeddings_that_were_given_are_kept_smaller_too(faces: Path, tmp_path: Path) -> None:
    keys = sorted(
        path.relative_to(faces / "lfw").as_posix() for path in (faces / "lfw").rglob("*.jpg")
    )
    vectors = np.random.default_rng(0).standard_normal((len(keys), 24)).astype(np.float32)
    np.save(tmp_path / "mine.npy", vectors)
    (tmp_path / "names.txt").write_text("\n".join(keys))
    given = [(tmp_path / "mine.npy", tmp_path / "names.txt")]
    (record,) = facebench.evaluate_many(
        [], "lfw", faces, embeddings=given, template="binary", **QUICK
    )
    assert record.model.bytes_per_face == 3 and record.table is not None
    assert set(record.table.scores) <= set(
        cosine_pairs(
            kept(vectors, "binary"), *np.divmod(np.arange(len(keys) ** 2), len(keys))
        ).tolist()
    )


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Aligned crops of people who are in no test."""
    rng = np.random.default_rng(3)
    for number in range(20):
        name = f"Stranger_{number % 5}"
        path = tmp_path / "others" / name / f"{name}_{number // 5 + 1:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rng.integers(0, 256, (112, 96, 3), dtype=np.uint8))
    return tmp_path / "others"


class Projected(Grey):
    """On the axes of embeddings that are given."""

    def __init__(self, vectors: NDArray[np.float32], number: int) -> None:
        super().__init__()
        self.axes = principal_axes(vectors, number)

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.axes.project(super().forward(faces))


def test_axes_are_of_faces_that_are_named_and_told(faces: Path, others: Path) -> None:
    whole, pca, small = evaluated(faces, template="fp32,pca-7,pca-7+int8", template_fit=others)
    assert [r.model.bytes_per_face for r in (whole, pca, small)] == [672, 28, 11]
    label = pca.model.template.removeprefix("pca-7(").removesuffix(")")
    assert re.fullmatch("others-[0-9a-f]{16}", label)
    assert small.model.template == f"pca-7({label})+int8"
    assert method_of(pca)[2] == "pca-7" and pca.model.dimension == 168
    said = f"its axes were fitted on 20 faces of {label}, none of which is a face of the test"
    assert pca.notes[-1] == f"template pca-7: {said}"
    crops = np.stack([cv2.imread(str(path))[:, :, ::-1] for path in sorted(others.rglob("*.png"))])
    model = Projected(Grey().embed(crops), 7)
    plain = facebench.evaluate(model, "lfw", faces, store=False, **QUICK)
    assert pca.table is not None and plain.table is not None
    assert pca.table.scores == pytest.approx(plain.table.scores, abs=1e-5)


def zipped(others: Path, people: str = "{number}") -> Path:
    """The same faces as a training has them: a zip file per source, and an index."""
    folder = others.parent / "train"
    folder.mkdir()
    paths = sorted(others.rglob("*.png"))
    rows = [
        f"one/{number:05d}.png,one,{people.format(number=number // 4)},1.0"
        for number in range(len(paths))
    ]
    index = "\n".join(["file,source,identity,warp_scale", *rows, "one/99999.png,one,,1.0"])
    (folder / "index.csv").write_text(index)
    with zipfile.ZipFile(folder / "one.zip", "w") as archive:
        for number, path in enumerate(paths):
            archive.write(path, f"one/{number:05d}.png")
    return folder


def test_faces_are_read_as_a_training_reads_them(faces: Path, others: Path) -> None:
    """The same images give the same axes, however they are laid out; the record names them all."""
    asked = {"template": "pca-7", "align": "centre"}
    expected = evaluated(faces, template_fit=others, **asked)[0]
    train = zipped(others)
    free = others.parent / "free"
    for path in others.rglob("*.png"):
        (free / path.parent.name).mkdir(parents=True, exist_ok=True)
        (free / path.parent.name / f"shot {path.stem[-1]}.png").write_bytes(path.read_bytes())
    for place, name in ((train, "train"), (train / "index.csv", "train"), (free, "free")):
        found = evaluated(faces, template_fit=place, **asked)[0]
        assert found.table is not None and expected.table is not None
        assert found.table.scores == pytest.approx(expected.table.scores, abs=1e-5)
        assert re.fullmatch(rf"pca-7\({name}-[0-9a-f]{{16}}\)", found.model.template)
        assert f"fitted on 20 faces of {name}-" in found.notes[-1]


def test_people_of_an_index_are_known_by_its_names(faces: Path, others: Path) -> None:
    train = zipped(others, "Person_A")
    with pytest.raises(UserError, match=r"1 people of the test are in it \(first: Person_A\)"):
        evaluated(faces, template="pca-3", template_fit=train)
    (train / "one.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"one.zip'?: cannot be read as a zip file"):
        evaluated(faces, template="pca-3", template_fit=train)
    with pytest.raises(UserError, match="there is no such folder, or index of"):
        evaluated(faces, template="pca-3", template_fit=train / "one.zip")


def test_axes_are_never_of_the_test(faces: Path, others: Path) -> None:
    stranger = others / "Stranger_0" / "Stranger_0_0001.png"
    named = others / "Person_A" / "Person_A_0009.png"
    named.parent.mkdir()
    named.write_bytes(stranger.read_bytes())
    with pytest.raises(UserError, match=r"1 people of the test are in it \(first: Person_A\)"):
        evaluated(faces, template="pca-3", template_fit=others)
    shutil.rmtree(named.parent)
    tested = faces / "lfw" / "Person_A" / "Person_A_0001.jpg"
    tested.unlink()
    tested.with_suffix(".png").write_bytes(stranger.read_bytes())
    with pytest.raises(UserError, match=r"Person_A/Person_A_0001.jpg of the test is among"):
        evaluated(faces, template="pca-3", template_fit=others, align="template")


def test_what_axes_need(faces: Path, others: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pca-3 needs faces that its axes are fitted on"):
        facebench.Settings(template="int8,pca-3")
    with pytest.raises(UserError, match="has no effect without"):
        facebench.Settings(template_fit=others)
    with pytest.raises(UserError, match=r"pca-40 of 20 embeddings of 168 numbers; .* at most 19"):
        evaluated(faces, template="pca-40", template_fit=others)
    with pytest.raises(UserError, match="there is no such folder"):
        evaluated(faces, template="pca-4", template_fit=tmp_path / "none")
    wide = np.zeros((250, 250, 3), np.uint8)
    assert cv2.imwrite(str(others / "Stranger_0" / "Stranger_0_0001.png"), wide)
    with pytest.raises(UserError, match=r"Stranger_0_0001.* is 250x250; an aligned crop is 112x96"):
        evaluated(faces, template="pca-4", template_fit=others)


class Positive(Grey):
    """No number below zero: all faces have the same bits."""

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.abs(super().forward(faces)) + 1


def test_bits_that_are_all_alike_are_refused(faces: Path) -> None:
    with pytest.raises(UserError, match=r"template binary keeps all 16 faces alike: no number"):
        facebench.evaluate(Positive(), "lfw", faces, template="binary", store=False, **QUICK)


def test_what_cannot_be_meant() -> None:
    with pytest.raises(UserError, match=r"unknown template 'int4'; did you mean 'int8'\?"):
        facebench.Settings(template="int4")
    with pytest.raises(UserError, match="binary is compared by cosine: the similarity"):
        facebench.Settings(template="binary", similarity="joint-bayesian")
    assert facebench.Settings(template="int8", similarity="joint-bayesian").templates
    with pytest.raises(UserError, match="evaluate makes one record; name one, or call"):
        facebench.evaluate(Grey(), "lfw", template="int8,fp16", **QUICK)
