"""What must agree for two records to be compared: one answer, wherever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import facebench
from facebench.base.errors import UserError
from facebench.comparison.compare import compare_records
from facebench.comparison.paired import paired_with_first
from facebench.gate.judge import gated
from facebench.gate.rules import parse_rules
from facebench.gate.update import update_baselines
from facebench.records.comparability import group_records, require_comparable
from facebench.records.files import save_record
from facebench.records.record import Record
from tests.comparison.test_compare import changed
from tests.helpers.records import MakeRecord

RULE = "lfw.accuracy drop <= 2pt at 95%"
OTHERS = {
    "edition": "protocol lfw.v1 against lfw.v1+12345678",
    "pairs": "list of comparisons",
    "data": "data lfw-0123456789abcdef against lfw-fedcba9876543210",
    "alignment": "alignment landmarks",
    "rule": "rule exact against facenet-grid",
}


@pytest.fixture
def base(make_record: MakeRecord) -> Record:
    return make_record("base", per_kind=20, draws=0)


def other(base: Record, what: str) -> Record:
    """A later record that measures something else."""
    fields = {
        "edition": {"protocol": base.protocol.model_copy(update={"edition": "+12345678"})},
        "pairs": {"comparisons": base.comparisons.model_copy(update={"fingerprint": "0" * 16})},
        "data": {"data": base.data.model_copy(update={"fingerprint": "lfw-fedcba9876543210"})},
        "alignment": {"alignment": "template-crop"},
        "rule": {"rule": "facenet-grid"},
    }
    run = base.run.model_copy(update={"created": "2026-03-03T00:00:00+00:00"})
    model = base.model.model_copy(update={"id": "other", "weights_hash": "cd" * 32})
    return changed(base, run=run, model=model, **fields[what])


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize(
    "ask",
    [
        require_comparable,
        lambda one, two: compare_records(one, [two]),
        lambda one, two: paired_with_first(one, [two]),
        lambda one, two: gated(parse_rules([RULE]), [one], [two]),
        lambda one, two: gated(parse_rules(["lfw.accuracy >= 0.99 of baseline"]), [one], [two]),
    ],
    ids=["records", "compare", "tables", "gate at 95%", "gate of a share"],
)
def test_another_measure_is_never_compared(
    base: Record, what: str, ask: Callable[[Record, Record], object]
) -> None:
    with pytest.raises(UserError) as error:
        ask(base, other(base, what))
    assert OTHERS[what] in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("what", OTHERS)
def test_another_measure_is_another_table_and_no_baselines_successor(
    base: Record, what: str, tmp_path: Path
) -> None:
    moved = other(base, what)
    assert group_records([base, moved, base]) == [[base, base], [moved]]
    update_baselines(tmp_path, [base], "the first")
    with pytest.raises(UserError, match="measure different things") as error:
        update_baselines(tmp_path, [moved], "without --other-data")
    assert OTHERS[what] in str(error.value)


@pytest.mark.parametrize("what", ["alignment", "rule"])
def test_a_history_is_of_one_measure(base: Record, what: str, tmp_path: Path) -> None:
    for record in (base, other(base, what)):
        save_record(record, tmp_path)
    with pytest.raises(UserError) as error:
        facebench.history(tmp_path)
    assert OTHERS[what] in str(error.value)


def test_of_two_baselines_the_one_of_the_records_measure_is_taken(base: Record) -> None:
    """A folder may hold a baseline by each rule."""
    grid = other(base, "rule")
    (verdict,) = gated(parse_rules([RULE]), [grid, base], [base]).verdicts
    assert verdict.outcome == "pass"
    (verdict,) = gated(parse_rules([RULE]), [base, grid], [grid]).verdicts
    assert verdict.outcome == "pass"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"flip": "none"}, "flip add against none"),
        ({"precision": "bfloat16"}, "precision float32 against bfloat16"),
        ({"variant": "output=b"}, "variant - against output=b"),
    ],
)
def test_what_is_the_models_own_may_differ_and_is_told(
    base: Record, fields: dict[str, str], told: str
) -> None:
    """The flip rule is how a model makes its embedding, in one pass or two."""
    moved = changed(base, model=base.model.model_copy(update={"id": "other"} | fields))
    (found,) = compare_records(base, [moved])
    assert [str(difference) for difference in found.settings] == [told]
    (verdict,) = gated(parse_rules([RULE]), [base], [moved]).verdicts
    assert verdict.outcome == "pass"
