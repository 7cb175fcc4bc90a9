"""Finding the records of a report's cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.records.files import default_folder, save_record
from facebench.records.find import (
    Finder,
    Wanted,
    default_pooling,
    load_entry,
    named_together,
    version_of,
)
from facebench.records.record import Record, signature_of

MakeRecord = Callable[..., Record]
WANTED = Wanted("m", "lfw")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and cache."""
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def small(make_record: MakeRecord, **values: object) -> Record:
    return make_record("m", per_kind=4, draws=0, **values)


def names(entries: list) -> list[str]:
    return [entry.path.name for entry in entries]


def test_named_then_committed_then_cached(
    make_record: MakeRecord, tmp_path: Path, elsewhere: Path
) -> None:
    cached = save_record(small(make_record, seed=1), default_folder())
    committed = save_record(small(make_record, seed=2), elsewhere / "reports" / "results")
    named = save_record(small(make_record, seed=3), tmp_path / "named")
    found = Finder.of([tmp_path / "named"]).candidates(WANTED)
    assert [entry.path for entry in found] == [named, committed, cached]
    assert [entry.path for entry in Finder.of(cache=False).candidates(WANTED)] == [committed]


def test_of_several_the_newest_comes_first(make_record: MakeRecord, tmp_path: Path) -> None:
    old = save_record(small(make_record, created="2026-01-01T00:00:00+00:00"), tmp_path / "a")
    new = save_record(small(make_record, created="2026-02-01T00:00:00+00:00"), tmp_path / "b")
    found = Finder.of([tmp_path / "b", tmp_path / "a"]).candidates(WANTED)
    assert [entry.path for entry in found] == [new, old]


def test_version_10_is_newer_than_9() -> None:
    assert version_of("0.10.0") > version_of("0.9.3")


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("other", "lfw"),
        Wanted("m", "lfw-open"),
        Wanted("m", "lfw", "joint-bayesian"),
        Wanted("m", "lfw", "cosine", "max-score"),
    ],
)
def test_other_models_protocols_and_settings_do_not_answer(
    wanted: Wanted, make_record: MakeRecord, tmp_path: Path
) -> None:
    save_record(small(make_record), tmp_path / "a")
    assert Finder.of([tmp_path / "a"]).candidates(wanted) == []


def test_a_similarity_answers_with_whatever_metric(make_record: MakeRecord, tmp_path: Path) -> None:
    path = save_record(small(make_record), tmp_path / "a")
    values = json.loads(path.read_bytes())
    del values["seal"]
    values["similarity"] = "joint-bayesian(0123456789ab)"
    values["signature"] = values["signature"].replace(
        "similarity:cosine", "similarity:joint-bayesian(0123456789ab)"
    )
    path.write_text(json.dumps(values))
    finder = Finder.of([path])
    assert len(finder.candidates(Wanted("m", "lfw", "joint-bayesian"))) == 1
    assert load_entry(finder.entries[0]).similarity == "joint-bayesian(0123456789ab)"


def test_a_record_cut_short_is_an_error_where_it_was_named(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = save_record(small(make_record), tmp_path / "a")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="not a complete JSON record") as caught:
        Finder.of([tmp_path / "a"])
    assert "\n" not in str(caught.value)


def test_a_record_of_another_schema_is_an_error_where_it_was_named(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = save_record(small(make_record), tmp_path / "a")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(UserError, match="schema version 99"):
        Finder.of([path])


def test_broken_files_of_the_cache_are_skipped_and_told(make_record: MakeRecord) -> None:
    path = save_record(small(make_record), default_folder())
    path.with_name("broken.json").write_text("{")
    finder = Finder.of()
    assert len(finder.entries) == 1
    assert "broken.json" in finder.skipped[0]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        Finder.of([tmp_path / "none"])


def test_diagnostics_are_no_records(elsewhere: Path) -> None:
    folder = elsewhere / "reports" / "results" / "diagnostics"
    folder.mkdir(parents=True)
    (folder / "m.json").write_text('{"model": "m", "values": {}}')
    assert Finder.of().entries == []


@pytest.mark.parametrize("pooling", ["media-mean+detector(1a2b3c4d)", "media-mean"])
def test_a_pooling_answers_whatever_the_digest_of_its_scores(
    make_record: MakeRecord, tmp_path: Path, pooling: str
) -> None:
    (entry,) = Finder.of([save_record(small(make_record), tmp_path / "a")]).entries
    finder = Finder([replace(entry, pooling=pooling)])
    for wanted in ("media-mean+detector", "media-mean"):
        found = finder.candidates(replace(WANTED, pooling=wanted))
        assert bool(found) == (pooling.partition("(")[0] == wanted)


@pytest.mark.parametrize(
    ("protocol", "pooling"),
    [("ytf", "mean-score, all frames"), ("ijba", "mean-score"), ("lfw", None)],
)
def test_without_a_choice_records_have_the_protocols_pooling(
    protocol: str, pooling: str | None
) -> None:
    assert default_pooling(protocol) == pooling
    assert default_pooling("no-such-protocol") is None


def test_templates_are_records_of_their_own(make_record: MakeRecord, tmp_path: Path) -> None:
    whole = small(make_record, created="2026-01-01T00:00:00+00:00")
    model = whole.model.model_copy(update={"template": "int8"})
    draft = whole.model_copy(update={"model": model})
    smaller = Record.model_validate(dict(draft) | {"signature": signature_of(draft)})
    assert whole.table is not None
    a = save_record(whole, tmp_path / "a")
    b = save_record(smaller.with_table(whole.table), tmp_path / "b")
    finder = Finder.of([tmp_path / "a", tmp_path / "b"])
    assert [e.path for e in finder.candidates(WANTED)] == [a]
    assert [e.path for e in finder.candidates(Wanted("m", "lfw", template="int8"))] == [b]
    (named,) = named_together(["m"], finder)
    assert named == whole
    (beside, other) = named_together([b, "m"], finder)
    assert beside == other == smaller  # of the file's template, where there is one
