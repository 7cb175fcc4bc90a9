"""Which records of a folder count: of each model as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.gate.formats import FORMATS, render_gate
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.records.files import read_record, save_record
from facebench.records.find import Finder, load_entry, named_together
from facebench.records.newest import newest, newest_in
from facebench.records.record import Record
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord


def at(make_record: MakeRecord, day: int, weights: str = "ab", **fields: object) -> Record:
    made = {"per_kind": 20, "draws": 0, "created": f"2026-01-{day:02}T00:00:00+00:00"}
    return make_record("m", weights=weights * 32, **(made | fields))


def on(record: Record, protocol: str) -> Record:
    return changed(record, protocol=record.protocol.model_copy(update={"name": protocol}))


def test_the_newest_of_a_model_counts_and_the_older_is_named(make_record: MakeRecord) -> None:
    old, new = at(make_record, 1, "ab", strength=1.0), at(make_record, 2, "cd")
    for given in ([old, new], [new, old]):
        found = newest(given)
        assert list(found.records) == [new]
        (line,) = found.passed_over
        assert line.startswith("passed over: m on lfw (weights abababab, made 2026-01-01T00:00:00)")


def test_weights_that_were_not_evaluated_on_a_protocol_have_no_record_of_it(
    make_record: MakeRecord,
) -> None:
    """The evaluation of the new weights was cut short after the first protocol."""
    old, new = at(make_record, 1, "ab"), at(make_record, 2, "cd")
    found = newest([old, on(old, "calfw"), new])
    assert list(found.records) == [new]
    rules = parse_rules(["calfw.accuracy >= 0.5", "lfw.accuracy >= 0.5"])
    other = changed(old, model=old.model.model_copy(update={"id": "other"}))
    result = gated(rules, [], [*found.records, other, on(other, "calfw")])
    assert [(v.model, v.outcome) for v in result.verdicts] == [
        ("other", "pass"),
        ("m", "pass"),
        ("other", "pass"),
        ("m", "fail"),
    ]
    assert result.code == 1
    assert result.verdicts[-1].line == (
        "m: calfw.accuracy >= 0.5: no record of calfw (evaluate m on calfw)"
    )


@pytest.mark.parametrize("what", ["precision", "flip", "similarity", "synthetic", "alignment"])
def test_other_settings_and_data_count_beside_each_other(
    make_record: MakeRecord, what: str
) -> None:
    old = at(make_record, 1)
    new = at(make_record, 2, kind="synthetic" if what == "synthetic" else "real")
    model = {"precision": "bfloat16", "flip": "none"}
    if what in model:
        new = changed(new, model=new.model.model_copy(update={what: model[what]}))
    if what in ("similarity", "alignment"):
        new = changed(new, **{what: "joint-bayesian(1)" if what == "similarity" else "none"})
    assert list(newest([old, new]).records) == [old, new]


def test_embeddings_that_were_given_are_other_files_on_every_protocol(
    make_record: MakeRecord,
) -> None:
    given = "unknown (embeddings were given)"
    old, new = at(make_record, 1, "ab"), on(at(make_record, 2, "cd"), "calfw")
    brought = [
        changed(one, model=one.model.model_copy(update={"preprocessing": given}))
        for one in (old, new)
    ]
    assert list(newest(brought).records) == brought


def test_files_that_are_named_all_count(make_record: MakeRecord, tmp_path: Path) -> None:
    paths = [save_record(at(make_record, 1, "ab"), tmp_path)]
    paths.append(save_record(at(make_record, 2, "cd"), tmp_path))
    assert [len(newest_in(str(path)).records) for path in (*paths, tmp_path)] == [1, 1, 1]
    assert newest_in(str(paths[0])).passed_over == ()


def test_a_gate_says_what_it_passed_over(make_record: MakeRecord) -> None:
    found = newest([at(make_record, 1, "ab", strength=1.0), at(make_record, 2, "cd", strength=6.0)])
    rules = parse_rules(["lfw.accuracy >= 0.9"])
    told = gated(rules, [], found.records, passed_over=found.passed_over)
    assert told.code == 0
    for format in FORMATS:
        text = render_gate(told, format)
        assert text.count("passed over: m on lfw") == (format != "junit")


def test_a_record_that_was_made_again_keeps_its_first_moment(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    path = save_record(at(make_record, 1), tmp_path)
    assert "again" not in path.read_text()
    assert save_record(at(make_record, 3), tmp_path) == path
    found = read_record(path).run
    assert (found.created[:10], found.latest[:10]) == ("2026-01-01", "2026-01-03")
    save_record(at(make_record, 5), tmp_path)
    assert read_record(path).run.latest[:10] == "2026-01-05"
    other = save_record(at(make_record, 6, strength=2.0), tmp_path)  # the same settings
    assert other == path and read_record(path).run.again is None


def test_after_a_way_back_the_earlier_state_is_the_newest(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    for day, weights in ((1, "ab"), (2, "cd"), (3, "ab")):
        save_record(at(make_record, day, weights), tmp_path)
    (found,) = newest_in(str(tmp_path)).records
    assert found.model.weights_hash == "ab" * 32
    finder = Finder.of([tmp_path], cache=False)
    assert named_together(["m"], finder) == [found]
    assert load_entry(finder.entries[0]) is not None
