"""A gate as a program asks for it: records, files, folders and names; rules as a file or a list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.gate.named import judge
from tests.helpers.records import MakeRecord

RULE = "lfw.accuracy drop <= 0.3pt"


@pytest.fixture
def pair(make_record: MakeRecord) -> list[facebench.Record]:
    return [make_record("whole", seed=0, per_kind=20), make_record("half", seed=1, per_kind=20)]


def test_records_files_folders_and_names_are_judged_alike(
    pair: list[facebench.Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base, half = (facebench.save_record(record, tmp_path / record.model.id) for record in pair)
    expected = judge(pair[1], [RULE], pair[0])
    assert [verdict.model for verdict in expected.verdicts] == ["half"]
    for records in (half, str(half), [pair[1]], half.parent, "half"):
        found = judge(records, [RULE], [base], found_in=[tmp_path / "half"])
        assert found == expected


def test_of_a_folder_the_newest_of_each_model_counts(
    pair: list[facebench.Record], make_record: MakeRecord, tmp_path: Path
) -> None:
    older = make_record("half", seed=2, per_kind=20, weights="cd" * 32, created="2025-01-01")
    for record in (pair[1], older):
        facebench.save_record(record, tmp_path)
    found = judge(tmp_path, [RULE], pair[0])
    assert len(found.verdicts) == 1 and len(found.passed_over) == 1


def test_what_is_named_twice_is_judged_once(
    pair: list[facebench.Record], make_record: MakeRecord, tmp_path: Path
) -> None:
    older = make_record("half", seed=2, per_kind=20, weights="cd" * 32, created="2025-01-01")
    new, old = tmp_path / "all" / "new", tmp_path / "all" / "old"
    file, _ = facebench.save_record(pair[1], new), facebench.save_record(older, old)
    base = facebench.save_record(pair[0], tmp_path / "base")
    rules = [RULE, "lfw.accuracy  drop <= 0.30 pt"]
    for records in ([new, new.parent], [new.parent, file, pair[1]], [old.parent, str(new)]):
        found = judge(records, rules, [base, base.parent, pair[0]])
        assert [verdict.rule.text for verdict in found.verdicts] == [RULE]
        assert len(found.passed_over) == 1
    chosen = judge([new.parent, old], [RULE], base)
    assert len(chosen.verdicts) == 1 and len(chosen.passed_over) == 1


def test_rules_are_a_file_or_a_list(pair: list[facebench.Record], tmp_path: Path) -> None:
    file = tmp_path / "gates.toml"
    file.write_text(f'rules = ["{RULE} at 95%"]\nundecided = "fail"\n')
    base, half = pair
    assert judge(half, file, base).undecided == "fail"
    assert judge(half, str(file), base, undecided="pass").undecided == "pass"
    assert judge(half, [f"{RULE} at 95%"], base).undecided == "report"


def test_one_model_of_several(pair: list[facebench.Record]) -> None:
    rules = ["lfw.accuracy >= 0.5"]
    assert [verdict.model for verdict in judge(pair, rules, model="half").verdicts] == ["half"]
    with pytest.raises(UserError, match="no record of 'hal'; did you mean 'half'"):
        judge(pair, rules, model="hal")


def test_the_frame_has_a_row_for_every_verdict(pair: list[facebench.Record]) -> None:
    frame = judge(pair, ["lfw.accuracy >= 0.5", "bytes <= 1MB"]).to_frame()
    assert list(frame["model"]) == ["whole", "half"] * 2
    assert list(frame["outcome"]) == ["pass"] * 2 + ["fail"] * 2


def test_what_is_missing_is_said(pair: list[facebench.Record], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a baseline"):
        judge(pair, [RULE])
    with pytest.raises(UserError, match="at least one rule"):
        judge(pair, [])
    with pytest.raises(UserError, match="at least one record"):
        judge([], ["bytes <= 1MB"])
    with pytest.raises(UserError, match="holds no record"):
        judge(tmp_path, ["bytes <= 1MB"])


HARDER = ["lfw.accuracy drop <= 10pt", "lfw+14px.accuracy drop <= 10pt"]


def test_models_by_name_on_several_protocols(make_record: MakeRecord, tmp_path: Path) -> None:
    for name, seed in (("whole", 0), ("half", 1)):
        for protocol in ("lfw", "lfw+14px", "lfw+7px"):
            made = make_record(name, seed=seed, per_kind=20, protocol=protocol)
            facebench.save_record(made, tmp_path / name)
    both = ["lfw", "lfw+14px", "lfw"]
    found = judge("half", HARDER, "whole", protocol=both, found_in=[tmp_path])
    assert [verdict.rule.protocol for verdict in found.verdicts] == ["lfw", "lfw+14px"]
    assert found.outcome == "pass"
    folders = tmp_path / "half" / "lfw+14px", tmp_path / "whole" / "lfw+14px"
    files = judge(folders[0], HARDER[1:], folders[1])
    assert files.verdicts == found.verdicts[1:]
    (alone,) = judge("half", HARDER[:1], "whole", found_in=[tmp_path]).verdicts
    assert alone == found.verdicts[0]  # of degraded faces only what is asked for by name
    with pytest.raises(UserError, match=re.escape("no record of 'lfw+14px' was given")):
        judge("half", HARDER, "whole", protocol="lfw", found_in=[tmp_path])
    with pytest.raises(UserError, match="'14' is no degradation; did you mean '14px'"):
        judge("half", HARDER, "whole", protocol=["lfw", "lfw+14"], found_in=[tmp_path])
    with pytest.raises(UserError, match=r"no lfw\+28px record of 'whole'"):
        judge("half", HARDER, "whole", protocol=["lfw", "lfw+28px"], found_in=[tmp_path])
