"""Records by file, by folder and by the model's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.records.comparability import require_comparable
from facebench.records.files import save_record
from facebench.records.find import Finder, is_file, named_together, records_in
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord
from tests.tables.test_rates import record as rates_record


@pytest.fixture
def folder(tmp_path: Path, make_record: MakeRecord) -> Path:
    """a on photographs and on the twin, b on the twin only."""
    for name, kind in (("a", "real"), ("a", "synthetic"), ("b", "synthetic")):
        save_record(make_record(name, kind=kind, per_kind=10, draws=0), tmp_path)
    return tmp_path


def test_models_are_found_on_data_that_all_were_evaluated_on(folder: Path) -> None:
    found = named_together(["a", "b"], Finder.of([folder], cache=False))
    assert [(r.model.id, r.data.kind) for r in found] == [("a", "synthetic"), ("b", "synthetic")]


def test_a_file_chooses_the_data(folder: Path, make_record: MakeRecord) -> None:
    path = save_record(make_record("c", per_kind=10, draws=0), folder)
    finder = Finder.of([folder], cache=False)
    assert [r.data.kind for r in named_together([str(path), "a"], finder)] == ["real", "real"]
    with pytest.raises(UserError, match="different data or comparisons than the file"):
        named_together([str(path), "b"], finder)


def test_several_protocols_need_a_choice(folder: Path) -> None:
    save_record(rates_record("a"), folder)
    finder = Finder.of([folder], cache=False)
    with pytest.raises(UserError, match="records of lfw, lfw-open; choose one with protocol="):
        named_together(["a"], finder)
    assert named_together(["a"], finder, "lfw-open")[0].protocol.name == "lfw-open"


def test_a_similarity_may_be_chosen(folder: Path, make_record: MakeRecord) -> None:
    joint = changed(make_record("a", per_kind=10, draws=0), similarity="joint-bayesian(12ab)")
    save_record(joint, folder)
    finder = Finder.of([folder], cache=False)
    (found,) = named_together(["a"], finder, similarity="joint-bayesian")
    assert found.similarity == "joint-bayesian(12ab)"
    with pytest.raises(UserError, match="no joint-bayesian record of 'b'"):
        named_together(["b"], finder, similarity="joint-bayesian")


@pytest.mark.parametrize(
    "fields",
    [
        {"pooling": "mean-score, all frames"},
        {"alignment": "template-crop"},
    ],
)
def test_settings_that_all_have_come_before_newer_ones(
    tmp_path: Path, make_record: MakeRecord, fields: dict[str, str]
) -> None:
    newer = {"per_kind": 10, "draws": 0, "created": "2027-01-01T00:00:00+00:00"}
    save_record(make_record("a", per_kind=10, draws=0), tmp_path)
    b = save_record(make_record("b", per_kind=10, draws=0), tmp_path)
    save_record(changed(make_record("a", **newer), **fields), tmp_path)
    finder = Finder.of([tmp_path], cache=False)
    (alone,) = named_together(["a"], finder)
    assert getattr(alone, next(iter(fields))) in fields.values()
    for names in (["a", "b"], ["b", "a"], [str(b), "a"]):
        assert {r.run.created[:4] for r in named_together(names, finder)} == {"2026"}
    save_record(changed(make_record("b", **newer), **fields), tmp_path)
    finder = Finder.of([tmp_path], cache=False)
    assert {r.run.created[:4] for r in named_together(["a", "b"], finder)} == {"2027"}


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [({"similarity": "joint-bayesian(12ab)"}, True), ({"alignment": "template-crop"}, False)],
)
def test_without_settings_that_all_have_the_best_is_taken_or_refused(
    tmp_path: Path, make_record: MakeRecord, fields: dict[str, str], allowed: bool
) -> None:
    save_record(make_record("a", per_kind=10, draws=0), tmp_path)
    save_record(changed(make_record("b", per_kind=10, draws=0), **fields), tmp_path)
    a, b = named_together(["a", "b"], Finder.of([tmp_path], cache=False))
    assert getattr(b, next(iter(fields))) in fields.values()
    if allowed:
        require_comparable(a, b)
        return
    with pytest.raises(UserError, match="differ in alignment"):
        require_comparable(a, b)


def test_an_unknown_name_is_one_line_with_and_without_a_near_one(folder: Path) -> None:
    save_record(rates_record("baseline"), folder)
    finder = Finder.of([folder], cache=False)
    rest = "name its file or a folder with found_in=, or make one with `facebench eval`"
    for name, said in (("basline", "; did you mean 'baseline'? Or"), ("zzz", ";")):
        with pytest.raises(UserError) as caught:
            named_together([name], finder)
        assert str(caught.value) == f"no record of {name!r}{said} {rest}"


def test_a_folder_gives_all_and_an_empty_one_is_refused(folder: Path, tmp_path: Path) -> None:
    assert len(records_in(str(folder))) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no record"):
        records_in(str(tmp_path / "empty"))


def test_names_and_files_are_told_apart(folder: Path) -> None:
    assert is_file("x.json") and is_file("runs/x.json") and is_file(str(folder))
    assert not is_file("run1/model")  # a name of files that were evaluated together
    assert not is_file("baseline")


def test_photographs_and_cosine_come_before_what_is_newer(
    make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was evaluated last must not decide what a name means."""
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "reports" / "results"
    for name in ("a", "b"):
        save_record(make_record(name, per_kind=10, draws=0), kept)
        for kind in ("real", "synthetic"):
            newer = make_record(
                name, kind=kind, per_kind=10, draws=0, created="2030-01-01T00:00:00+00:00"
            )
            save_record(changed(newer, similarity="joint-bayesian(12ab)"), kept)
        twin = make_record(
            name, kind="synthetic", per_kind=10, draws=0, created="2031-01-01T00:00:00+00:00"
        )
        save_record(twin, kept)
    finder = Finder.of(cache=False)
    found = named_together(["a", "b"], finder)
    assert [(r.data.kind, r.similarity) for r in found] == [("real", "cosine")] * 2
    (joint,) = named_together(["a"], finder, similarity="joint-bayesian")
    assert joint.data.kind == "real"


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("pkg.mod:make", "pkg.mod:make"),
        ("runs/my net.onnx", "my net"),
        ("other.pt2", "other"),
        ("runs/pruned.toml", "pruned"),
        ("zoo_name", "zoo_name"),
    ],
)
def test_a_model_is_found_by_the_name_that_was_typed(
    make_record: MakeRecord, tmp_path: Path, typed: str, called: str
) -> None:
    save_record(make_record(called, per_kind=5, draws=0), tmp_path)
    assert not is_file(typed)
    (found,) = named_together([typed], Finder.of([tmp_path], cache=False))
    assert found.model.id == called


def test_a_model_with_a_card_beside_it_is_called_as_the_card_says(
    make_record: MakeRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    card = 'name = "named"\ntitle = "t"\narchitecture = "onnx"\nweights = "file.onnx"\n'
    (tmp_path / "file.toml").write_text(card)
    save_record(make_record("named", per_kind=5, draws=0), tmp_path / "kept")
    (found,) = named_together(["file.onnx"], Finder.of([tmp_path / "kept"], cache=False))
    assert found.model.id == "named"
