"""A report's tables: cells from records, what is missing, and which data share a column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.comparison.paired import corrected, paired_with_first
from facebench.evaluation.build import build_record
from facebench.figures.styles import Styles
from facebench.models.cards.card import find_card
from facebench.models.sizes import cost_of
from facebench.protocols.cards import load_protocol
from facebench.protocols.outcome import Decided, Outcome, Rate, Series
from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record, signature_of
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import ReportCard, load_report
from facebench.reports.cells import FilledCard
from facebench.reports.formats import render_report, report_csv, report_markdown
from facebench.reports.html import rate_column, size_points
from facebench.reports.missing import not_yet, orders_of
from facebench.reports.table import report_table, shown
from facebench.statistics.intervals.exact import Interval
from tests.comparison.test_compare import changed
from tests.helpers.records import drawn_facts

MakeRecord = Callable[..., Record]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and cache."""
    monkeypatch.setenv("FACEBENCH_CACHE", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def records(make_record: MakeRecord, tmp_path: Path) -> list[Record]:
    """Baseline and sparse_074 on photographs, saved in tmp_path/records."""
    made = [
        of_the_zoo(make_record(name, seed=seed, strength=strength, per_kind=60))
        for seed, (name, strength) in enumerate((("baseline", 3.0), ("sparse_074", 4.5)))
    ]
    for record in made:
        save_record(record, tmp_path / "records")
    return made


def of_the_zoo(record: Record) -> Record:
    """The record of the zoo's model of its name: hash and costs are those of the weights."""
    card = find_card(record.model.id)
    cost = cost_of(card)
    facts = {
        "weights_hash": card.sha256,
        "parameters": cost.parameters,
        "kept_parameters": cost.kept,
        "compression_ratio": cost.ratio,
        "bytes": cost.bytes,
    }
    return changed(record, model=record.model.model_copy(update=facts))


def tables_of(card: ReportCard, *folders: Path) -> list[FilledCard]:
    return fill_card(card, Finder.of(folders, cache=False))


def trained() -> list[str]:
    """The models of Table 3 that have weights."""
    return [row.model for row in load_report("table3").rows if find_card(row.model).weights]


def order_for(models: list[str]) -> str:
    return f"facebench eval {' '.join(f'--model {name}' for name in models)} --protocol lfw"


def cell(table: FilledCard, row: str, column: str):
    found = next(one for one in table.rows if one.row.label == row)
    return next(one for one in found.cells if one.column.key == column)


def searched(model: str, found: float = 0.5, name: str = "DIR") -> Record:
    """A record of lfw-open in two draws; found: the share of the mated probes that is found."""
    rng = np.random.default_rng(3)
    mated = np.tile(np.repeat([True, False], [40, 60]), 2)
    easy = np.tile(rng.random(100), 2)  # the same searches are hard for every model
    people = np.tile(np.arange(100), 2)
    right = mated & (easy < found)
    scores = np.where(right, 1 + easy, np.where(mated, -np.inf, easy / 2))
    decided = Decided(scores, right, mated, np.repeat([1, 2], 100), people)
    value = float((easy < found)[mated].mean())
    low, high = max(0.0, value - 0.02), min(1.0, value + 0.02)
    kind = "standard deviation"
    rates = (
        Rate(name, 0.01, value, 0.02, kind, (low, high), (0.0, 0.01), (0.3, 0.4), False,
             Interval(low, high, 0.95, "bootstrap")),
        Rate("rank", 1, 0.75, 0.0, kind, (0.75, 0.75)),
    )  # fmt: skip
    curve = Series(name, "FPIR (share of searches)", "share found",
                   np.array([0, 0.01, 0.5]), np.array([value, value, 1.0]))  # fmt: skip
    outcome = Outcome(
        parts="draws",
        number_of_parts=2,
        rates=rates,
        series=(curve,),
        total=100,
        mated=40,
        nonmated=60,
        subjects=100,
        failed=0,
        fingerprint="0123456789abcdef",
        rule="smallest",
        draws=100,
        decided=decided,
    )
    return build_record(load_protocol("lfw-open"), outcome, drawn_facts(180, model))


def test_cells_are_those_of_the_records(records: list[Record], tmp_path: Path) -> None:
    (table,) = tables_of(load_report("table3"), tmp_path / "records")
    for label, record in zip(("baseline", "1/256-f 1/128-5b 1/2-4b"), records, strict=True):
        accuracy = cell(table, label, "accuracy")
        statistics = record.statistics.accuracy
        assert accuracy.value == statistics.value
        assert accuracy.measured.spread == statistics.spread
        assert accuracy.measured.interval == statistics.interval
        assert accuracy.difference == statistics.value - accuracy.paper.value
        assert cell(table, label, "ratio").value == record.model.compression_ratio
        assert cell(table, label, "bytes").value == record.model.bytes
    best = cell(table, "1/256-f 1/128-5b 1/2-4b", "accuracy")
    assert [best.paired] == corrected(paired_with_first(records[0], [records[1]]))
    assert best.mark == "▲"
    assert cell(table, "baseline", "accuracy").reference
    assert cell(table, "baseline", "accuracy").mark == ""


def test_what_is_missing_is_listed_with_its_command(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "records").rename(tmp_path / "gone")
    tables = tables_of(load_report("table3"))
    wanted = order_for(trained())
    commands = [order.command for order in orders_of(tables)]
    assert commands[0] == wanted
    assert all(more == f"{wanted} --similarity joint-bayesian" for more in commands[1:])
    assert orders_of(tables, "my faces")[0].command.endswith("--data 'my faces'")
    untrained = [c.label for c in load_report("table3").rows if not find_card(c.model).weights]
    told = " ".join(not_yet(tables))
    for label in untrained:
        assert label in told
    assert shown(cell(tables[0], "baseline", "accuracy")).text == "missing"
    assert shown(cell(tables[0], "baseline", "accuracy")).paper == "98.95"


def test_real_and_synthetic_faces_never_share_a_table(
    records: list[Record], make_record: MakeRecord, tmp_path: Path
) -> None:
    twin = make_record("sparse_074", kind="synthetic", per_kind=60)
    save_record(twin, tmp_path / "records")
    real, synthetic = tables_of(load_report("table3"), tmp_path / "records")
    assert (real.kind, synthetic.kind) == ("real", "synthetic")
    assert {r.data.kind for r in real.records_of("lfw")} == {"real"}
    assert {r.data.kind for r in synthetic.records_of("lfw")} == {"synthetic"}
    assert synthetic.title.startswith(SYNTHETIC_LABEL) and synthetic.notice
    assert real.notice is None
    assert cell(synthetic, "baseline", "accuracy").value is None
    commands = [order.command for order in orders_of([synthetic])]
    others = [name for name in trained() if name != "sparse_074"]
    assert commands[0] == f"{order_for(others)} --data synthetic"


def test_synthetic_numbers_do_not_stand_beside_the_papers_rates(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    save_record(make_record("baseline", kind="synthetic", per_kind=60), tmp_path / "records")
    real, synthetic = tables_of(load_report("table3"), tmp_path / "records")
    assert cell(real, "baseline", "accuracy").missing
    measured = cell(synthetic, "baseline", "accuracy")
    assert measured.value is not None
    assert (measured.paper, shown(measured).difference) == (None, "")
    assert cell(synthetic, "baseline", "ratio").paper.value == 1
    assert all(not point.paper for point in size_points(synthetic, Styles()))
    drawn = rate_column(synthetic)  # not the held-out error, which comes first and has no interval
    assert drawn is not None and synthetic.columns[drawn].key == "accuracy"
    assert all(point.interval for point in size_points(synthetic, Styles()))


def test_other_comparisons_are_another_table(
    records: list[Record], make_record: MakeRecord, tmp_path: Path
) -> None:
    save_record(make_record("baseline", per_kind=50, draws=0), tmp_path / "records")
    first, second = tables_of(load_report("table3"), tmp_path / "records")
    assert len(first.records_of("lfw")) == 2 and len(second.records_of("lfw")) == 1
    assert second.records_of("lfw")[0].comparisons.total == 1000
    assert first.title != second.title


def test_other_alignments_are_another_table_without_marks(
    records: list[Record], tmp_path: Path
) -> None:
    cut = changed(records[1], alignment="template-crop")
    save_record(records[0], tmp_path / "cut")
    save_record(cut, tmp_path / "cut")
    first, second = tables_of(load_report("table3"), tmp_path / "cut")
    one, other = (table.records_of("lfw") for table in (first, second))
    assert {one[0].alignment, other[0].alignment} == {records[0].alignment, "template-crop"}
    assert len(one) == len(other) == 1
    assert other[0].alignment in second.title and first.title != second.title
    assert not any(found.mark for table in (first, second) for r in table.rows for found in r.cells)


def test_the_record_of_several_is_told(records: list[Record], tmp_path: Path) -> None:
    later = records[0].model_copy(
        update={"run": records[0].run.model_copy(update={"created": "2027-01-01T00:00:00+00:00"})}
    )
    save_record(later, tmp_path / "later")
    (table,) = tables_of(load_report("table3"), tmp_path / "records", tmp_path / "later")
    assert any(
        line.startswith("2 records answer baseline on lfw") and "2027-01-01" in line
        for line in table.remarks
    )
    assert table.records_of("lfw")[0].run.created.startswith("2027")


def test_records_of_other_weights_come_after_and_are_told(
    records: list[Record], make_record: MakeRecord, tmp_path: Path
) -> None:
    newer = make_record("baseline", per_kind=60, weights="cd" * 32, created="2027-01-01T00:00:00")
    save_record(newer, tmp_path / "newer")
    both = tables_of(load_report("table3"), tmp_path / "records", tmp_path / "newer")
    assert both[0].records_of("lfw")[0].model.weights_hash == records[0].model.weights_hash
    (only,) = tables_of(load_report("table3"), tmp_path / "newer")
    assert any("is of other weights (cdcdcdcdcdcd)" in line for line in only.remarks)


def test_the_weights_hash_of_a_record_is_the_cards() -> None:
    from facebench.evaluation.candidate import candidate_of

    assert candidate_of("baseline").facts.weights_hash == find_card("baseline").sha256


def test_rates_of_identification(tmp_path: Path) -> None:
    for model, found in (("baseline", 0.4), ("sparse_074", 0.9)):
        save_record(searched(model, found), tmp_path / "records")
    table = tables_of(load_report("section55"), tmp_path / "records")[0]
    rate = cell(table, "sparse, single", "open")
    (record,) = [r for r in table.records_of("lfw-open") if r.model.id == "sparse_074"]
    assert rate.value == record.statistics.rates[0].value
    assert rate.measured.spread == record.statistics.rates[0].spread
    assert rate.paired is not None and rate.mark == "▲"
    assert shown(rate).text.endswith("‡")
    assert shown(cell(table, "sparse, ensemble of 25", "open")).paper == "86.40"
    assert shown(cell(table, "sparse, ensemble of 25", "accuracy")).paper == "99.55 ± 0.10"
    assert shown(cell(table, "FaceNet", "open")).text == "–"


def test_a_record_without_the_statistic_says_what_it_has(tmp_path: Path) -> None:
    save_record(searched("baseline", name="TPIR"), tmp_path / "records")
    table = tables_of(load_report("section55"), tmp_path / "records")[0]
    lacking = cell(table, "baseline, single", "open")
    assert "no DIR@FAR=0.01 (TPIR@FPIR=0.01, rank-1)" in lacking.missing
    ready = [gap.column.key for gap in table.missing if gap.ready and gap.row.model == "baseline"]
    assert "open" not in ready and "ytf" in ready


def test_table_1_is_counted_from_the_network() -> None:
    (table,) = tables_of(load_report("table1"))
    assert sum(cell.number or 0 for row in table.rows for cell in row.cells) == 17_836_928
    for row in table.rows:
        output, parameters = row.cells
        assert shown(output).difference == "same"
        assert abs(parameters.difference) <= 0.02 * parameters.paper.value  # the paper rounds


def test_table_2_is_read_from_the_model_cards() -> None:
    (table,) = tables_of(load_report("table2"))
    for row, layer, parent in (("N1", "1/256-f", "baseline"), ("N3, 4b", "1/2-4b", "sparse_076")):
        assert cell(table, row, "sparsified").value == layer
        assert cell(table, row, "parent").value == parent
        assert shown(cell(table, row, "parent")).difference == "same"


def test_sizes_without_weights_are_planned_and_say_so() -> None:
    (table,) = tables_of(load_report("table4"))
    for row in table.rows:
        (ratio,) = (cell for cell in row.cells if cell.column.key == "ratio")
        assert abs(ratio.difference) < 0.01  # half width; the paper's is full
        if not find_card(row.row.model).weights:
            assert ratio.remark and shown(ratio).text.endswith("*")


def test_a_column_has_a_similarity_of_its_own(records: list[Record], tmp_path: Path) -> None:
    (table,) = tables_of(load_report("table3"), tmp_path / "records")
    assert cell(table, "baseline", "accuracy").value == records[0].statistics.accuracy.value
    other = cell(table, "baseline", "jb")
    assert other.value is None and other.record is None and shown(other).paper == "98.95"
    made = records[0].model_copy(update={"similarity": "joint-bayesian(0123456789ab)"})
    made = made.model_copy(update={"signature": signature_of(made)})
    save_record(made, tmp_path / "records")
    (table,) = tables_of(load_report("table3"), tmp_path / "records")
    assert cell(table, "baseline", "jb").record.similarity == made.similarity
    assert cell(table, "baseline", "jb").reference
    assert cell(table, "baseline", "accuracy").record.similarity == "cosine"


def test_diagnostics_are_missing_until_they_are_measured(elsewhere: Path) -> None:
    card = load_report("figure1")
    (row,) = (row for row in card.rows if row.model == "quarter_076")
    card = card.model_copy(update={"rows": (row,)})
    (table,) = tables_of(card)
    assert "no 'rank_frequencies' in reports/results/diagnostics/quarter_076.json" in (
        table.missing[0].why
    )
    bare = row.model_copy(update={"without": ("ranks", "distance", "negative")})
    (table,) = tables_of(card.model_copy(update={"rows": (bare,)}))
    assert not table.missing and not any(cell.missing for cell in table.rows[0].cells)
    folder = elsewhere / "reports" / "results" / "diagnostics"
    folder.mkdir(parents=True)
    values = {"rank_frequencies": [0.25, 0.5, 0.25], "rank_distance": 0.25}
    values |= {"rank_distance_negative": 0.5}
    path = folder / "quarter_076.json"
    path.write_text(json.dumps({"model": "sparse_076", "values": values}))
    (table,) = tables_of(card)
    assert not table.missing
    assert table.rows[0].cells[0].bars == (0.25, 0.5, 0.25)
    assert table.rows[0].cells[1].value == 0.25
    path.write_text('{"model": "sparse_076", "valus": {}}')
    with pytest.raises(UserError, match="did you mean 'values'"):
        tables_of(card)


def test_what_differs_from_the_paper_is_a_footnote(records: list[Record], tmp_path: Path) -> None:
    (table,) = tables_of(load_report("table3"), tmp_path / "records")
    texts = " ".join(text for _, text in table.footnotes)
    assert "width 0.5" in texts
    assert "cosine similarity (the paper: joint-bayesian)" in texts
    assert "290,000 images" in texts
    letters = {letter for letter, _ in table.footnotes}
    assert set(table.rows[0].letters.split(",")) <= letters


def test_the_letter_of_another_similarity_stands_at_its_cells_only(
    records: list[Record], tmp_path: Path
) -> None:
    made = records[0].model_copy(update={"similarity": "joint-bayesian(0123456789ab)"})
    made = made.model_copy(update={"signature": signature_of(made)})
    save_record(made, tmp_path / "records")
    (table,) = tables_of(load_report("table3"), tmp_path / "records")
    told = dict(table.footnotes)
    letter = cell(table, "baseline", "accuracy").letters
    assert told[letter] == "cosine similarity (the paper: joint-bayesian)"
    assert letter not in table.rows[0].letters.split(",")
    for key in ("jb", "ratio", "kept", "bytes"):
        assert not cell(table, "baseline", key).letters
    csv_lines = list(csv.DictReader(io.StringIO(report_csv([table]))))
    differs = {line["column"]: line["differs"] for line in csv_lines if line["row"] == "baseline"}
    assert "cosine" in differs["accuracy"] and "cosine" not in differs["jb"]
    assert f" <sup>{letter}</sup><br>" in report_markdown(table)
    assert rf"\textsuperscript{{{letter}}} &" in render_report("latex", [table], "")


def test_rows_are_tested_against_their_own_references(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    for seed, name in enumerate(
        ("quarter_096", "quarter_096_obd", "quarter_074", "quarter_074_obd")
    ):
        save_record(make_record(name, seed=seed, per_kind=60), tmp_path / "records")
    (table,) = tables_of(load_report("table8"), tmp_path / "records")
    values = {label: cell(table, label, "accuracy") for label in (
        "1/256-f, correlation", "1/256-f, OBD", "1/2-4b, correlation", "1/2-4b, OBD",
    )}  # fmt: skip
    for layer in ("1/256-f", "1/2-4b"):
        base, other = values[f"{layer}, correlation"], values[f"{layer}, OBD"]
        assert base.reference and not other.reference and other.paired is not None
        assert other.paired.difference == pytest.approx(other.value - base.value, abs=1e-12)
    sheet = report_table(table)
    (said,) = [line for line in sheet.notes if line.startswith("▲")]
    assert "worse than the row named" in said
    named = {row.cells[0].text: row.cells[sheet.headings.index("difference")] for row in sheet.rows}
    assert named["quarter_096_obd"].detail.endswith("] vs quarter_096")
    assert named["quarter_074"].text == "reference"
    order = [row.cells[0].text for row in sheet.rows]
    assert order.index("quarter_096") < order.index("quarter_096_obd")


def test_the_mean_of_an_ensembles_members(make_record: MakeRecord, tmp_path: Path) -> None:
    (missing,) = tables_of(load_report("section55"))
    members = list(dict.fromkeys(m.model for m in find_card("ensemble_5").members))
    lacking = cell(missing, "sparse, ensemble of 5", "members").missing
    assert lacking == f"{len(members)} of {len(members)} members have no record"
    assert shown(cell(missing, "sparse, single", "members")).text == "–"
    made = [
        make_record(name, seed=seed, per_kind=20, draws=0, weights="ef" * 32)
        for seed, name in enumerate(members)
    ]
    for record in made:
        save_record(record, tmp_path / "records")
    table = tables_of(load_report("section55"), tmp_path / "records")[0]
    mean = np.mean([record.statistics.accuracy.value for record in made])
    assert cell(table, "sparse, ensemble of 5", "members").value == pytest.approx(mean)


def test_a_free_comparison_takes_all_models_with_records(
    records: list[Record], tmp_path: Path
) -> None:
    finder = Finder.of([tmp_path / "records"], cache=False)
    card = with_rows(load_report("compare"), finder)
    assert [row.label for row in card.rows] == ["baseline", "sparse_074"]
    assert card.reference == "baseline"
    named = with_rows(load_report("compare"), finder, ["sparse_074", "baseline"])
    (table,) = fill_card(named, finder)
    assert cell(table, "baseline", "accuracy").mark == "▼"
    with pytest.raises(UserError, match="rows of its own"):
        with_rows(load_report("table3"), finder, ["baseline"])
