"""Wrong input of the public functions: one line that names it, and one name taken as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import facebench
from facebench import ModelOptions, Settings, UserError
from tests.helpers.records import MakeRecord
from tests.helpers.small_lfw import small_lfw

fb: Any = facebench
SIZE = r"it must be \(height, width\), each 8 to 4096 pixels, such as \(112, 96\)"
THREE = r"it must be three numbers, one per channel, such as \(127.5, 127.5, 127.5\)"
SCORES, MATED = [0.9, 0.8, 0.2, 0.1], [True, True, False, False]


@pytest.mark.parametrize(
    "size", [(0, 1), "112x96", (112,), 112, (112.5, 96), (-3, 5), (112, 5000), (True, True)]
)
def test_a_size_that_no_face_has(size: Any) -> None:
    with pytest.raises(UserError, match=f"^size is .*; {SIZE}$"):
        ModelOptions(size=size)
    with pytest.raises(UserError, match=f"^size is .*; {SIZE}$"):
        facebench.bench(["sparse_074"], size=size)


@pytest.mark.parametrize("values", ["a", 0, (1.0, 2.0), (1.0, 2.0, "3"), (1.0, 2.0, float("nan"))])
@pytest.mark.parametrize("name", ["mean", "scale"])
def test_what_is_no_mean_or_scale(name: str, values: Any) -> None:
    with pytest.raises(UserError, match=f"^{name} is .*; {THREE}$"):
        ModelOptions(**{name: values})


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"batch": "many"}, "batch is 'many'; it must be a whole number, such as 32"),
        ({"batch": True}, "batch is True; it must be a whole number, such as 32"),
        ({"untrusted": 1}, "untrusted is 1; it must be True or False, such as False"),
        ({"device": 0}, "device is 0; it must be a text, such as 'cpu'"),
        ({"colour": 3}, "colour is 3; it must be a text, such as 'name'"),
        ({"batch": 0}, "batch is 0; it must be at least 1, such as 32"),
    ],
)
def test_fields_of_model_options(wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as caught:
        ModelOptions(**wrong)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"batch": "many"}, "batch is 'many'; it must be a whole number, such as 32"),
        ({"threads": "2"}, "threads is '2'; it must be a whole number, such as 4"),
        ({"draws": 1e3}, "draws is 1000.0; it must be a whole number, such as 1000"),
        ({"similarity": 5}, "similarity is 5; it must be a text, such as 'cosine'"),
        ({"progress": "no"}, "progress is 'no'; it must be True or False, such as True"),
        ({"pairs": 7}, "pairs is 7; it must be a text, such as 'name'"),
    ],
)
def test_settings_of_a_wrong_type(wrong: dict[str, Any], line: str) -> None:
    for call in (Settings, lambda **given: facebench.evaluate("sparse_074", "lfw", **given)):
        with pytest.raises(UserError) as caught:
            call(**wrong)
        assert str(caught.value) == line


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: fb.evaluate("sparse_074", "lfw", flipp=1), "evaluate: .* 'flipp'; .* options=Mod"),
        (lambda: fb.evaluate("sparse_074", "lfw", bacth=1), "evaluate: .* 'bacth'; .* 'batch'?"),
        (lambda: fb.evaluate_many([], [], bacth=1), "evaluate_many: .* 'bacth'; .* 'batch'?"),
        (lambda: fb.bench([], roundz=1), "bench: there is no keyword 'roundz'; .* 'rounds'?"),
    ],
)
def test_keywords_that_there_are_not(call: Callable[[], object], line: str) -> None:
    with pytest.raises(TypeError, match=f"^{line}"):
        call()


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: fb.evaluate("sparse_074", "lfw", options={"size": (9, 9)}), "options is .*ModelO"),
        (lambda: fb.evaluate("sparse_074", "lfw", 7), "data is 7; it must be like 'data/lfw'"),
        (lambda: fb.evaluate("sparse_074", 7), "protocol is 7; it must be like 'lfw'"),
        (lambda: fb.evaluate_many(None, "lfw"), "models is None; it must be one or several"),
        (lambda: fb.evaluate_many([], None), "protocols is None; it must be one or several"),
        (lambda: fb.compare(None, ["sparse_074"]), "None is no record; give a Record, its file"),
        (lambda: fb.compare("baseline", [3]), "3 is no record; give a Record, its file"),
        (lambda: fb.judge(None, ["bytes <= 3"]), "records is None; it must be one or several"),
        (lambda: fb.judge("sparse_074", 3), "rules is 3; it must be one or several"),
        (lambda: fb.judge("sparse_074", [3]), "rules: 3 is no rule; write e.g."),
        (lambda: fb.report(None), "card is None; it must be the name of one, such as 'table3'"),
        (lambda: fb.bench([torch.nn.Identity()]), "bench takes names of .* not a Identity; save"),
        (lambda: fb.bench(None), "models is None; it must be one or several"),
        (lambda: fb.frame([1]), "a int has no frame"),
        (lambda: fb.frame(1), "a int has no frame"),
        (lambda: fb.verification(SCORES, MATED)[0], r"no statistic 0 \(auc, eer"),
        (lambda: fb.save_record(3, "records"), "record is 3; it must be a Record"),
    ],
)
def test_what_is_not_of_its_kind(call: Callable[[], object], line: str) -> None:
    with pytest.raises(UserError, match=f"^{line}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_records_are_kept_in_folders(make_record: MakeRecord, tmp_path: Path) -> None:
    record, file = make_record("m"), tmp_path / "afile"
    file.write_text("mine")
    with pytest.raises(UserError, match="afile: is a file; name a folder"):
        facebench.save_record(record, file)
    with pytest.raises(UserError, match="folder is 3; it must be a path"):
        fb.save_record(record, 3)
    assert file.read_text() == "mine"


def test_one_record_has_a_frame(make_record: MakeRecord) -> None:
    record = make_record("m")
    assert facebench.frame(record).equals(record.to_frame())


def test_one_name_is_one(tmp_path: Path) -> None:
    data = small_lfw(tmp_path / "data")
    (record,) = facebench.evaluate_many(
        "sparse_074", "lfw", data, align="centre", workers=0, progress=False
    )
    assert record.model.id == "sparse_074"
    found = facebench.bench("sparse_074", runtimes="eager", seconds=0, rounds=1, batch=1)  # type: ignore[arg-type]
    assert [one.model for one in found.records] == ["sparse_074"]


def test_one_layer_after_the_other_is_one_model(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 5))
    (record,) = facebench.evaluate_many(
        net,
        "lfw",
        small_lfw(tmp_path / "data"),
        options=ModelOptions(size=(8, 8)),
        align="centre",
        workers=0,
        progress=False,
    )
    assert record.model.dimension == 5


def test_one_rule_and_one_row(make_record: MakeRecord) -> None:
    record = make_record("m", per_kind=20)
    assert len(facebench.judge(record, "lfw.accuracy >= 0.6").verdicts) == 1
    (filled, *_) = facebench.report("compare", models="baseline").filled
    assert [row.row.label for row in filled.rows] == ["baseline"]
