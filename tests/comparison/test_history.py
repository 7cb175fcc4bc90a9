"""A history of runs: their order, the first fall, and the figure."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import facebench
from facebench.base.errors import UserError
from facebench.base.vocabulary import Along
from facebench.comparison.paired import paired_statistics
from facebench.evaluation.machine.environment import run_section
from facebench.figures.history import save_history_plot
from facebench.records.files import save_record
from facebench.records.record import Record
from facebench.records.scores import record_name
from facebench.records.sections import IntervalSection, ScoresSection
from facebench.statistics.intervals.exact import wilson
from facebench.statistics.paired import holm
from facebench.tables.history import histories_csv, history_table
from facebench.tables.html import to_html
from facebench.tables.markdown import to_markdown
from tests.comparison.test_compare import changed
from tests.helpers.plots import texts_of
from tests.helpers.records import MakeRecord

STRENGTHS = (3.5, 3.5, 3.6, 2.6, 3.6, 2.0)


@pytest.fixture
def runs(tmp_path: Path, make_record: MakeRecord) -> Path:
    """Six runs, each smaller than the one before; the fourth and the sixth are much worse."""
    folder = tmp_path / "runs"
    for number, strength in enumerate(STRENGTHS):
        record = make_record(
            f"run_{9 - number}",
            seed=number,
            strength=strength,
            per_kind=100,
            draws=0,
            created=f"2026-01-0{number + 1}T00:00:00+00:00",
            weights=f"{number}" * 64,
        )
        kept = 17_836_928 // 2**number
        model = record.model.model_copy(
            update={"kept_parameters": kept, "bytes": 2 * kept, "compression_ratio": 0.5**number}
        )
        save_record(changed(record, model=model), folder)
    return folder


def test_runs_are_in_the_order_of_their_making(runs: Path) -> None:
    (found,) = facebench.history(runs)
    assert [run.record.model.id for run in found.runs] == [f"run_{9 - n}" for n in range(6)]
    assert found.axis.name == "kept parameters" and found.runs[1].place == 8_918_464
    assert found.statistic == "accuracy"


def test_the_first_fall_is_the_first_that_is_significantly_worse(runs: Path) -> None:
    (found,) = facebench.history(runs)
    assert found.first_fall == 3
    assert [run.fell for run in found.runs] == [False, False, False, True, False, True]
    assert found.runs[0].against is None
    assert found.runs[3].against is not None and found.runs[3].against.mcnemar is not None


def test_p_values_are_corrected_for_the_number_of_runs(runs: Path) -> None:
    (found,) = facebench.history(runs)
    tested = [run.against.p_value for run in found.runs[1:] if run.against]
    assert [run.against.adjusted for run in found.runs[1:] if run.against] == holm(tested)
    caption = " ".join(history_table(found).reading)
    assert "corrected for the number of runs tested" in caption
    first = list(csv.DictReader(io.StringIO(histories_csv([found]))))[3]
    assert float(first["p_holm"]) > float(first["p_value"])


def test_one_fall_in_many_looks_is_chance(tmp_path: Path, make_record: MakeRecord) -> None:
    """A drop that a single comparison would call significant is not after twelve looks."""
    base = make_record("base", per_kind=100, draws=0, created="2026-01-01T00:00:00+00:00")
    save_record(base, tmp_path)
    for number in range(1, 12):
        wrong = 20 if number == 5 else 0  # of 2,000; the last eight were wrong before
        other = flipped(base, f"run_{number}", wrong, 7 * (number == 5))
        run = base.run.model_copy(update={"created": f"2026-01-{number + 1:02}T00:00:00+00:00"})
        save_record(changed(other, run=run), tmp_path)
    (found,) = facebench.history(tmp_path)
    fifth = found.runs[5]
    assert fifth.against is not None and fifth.against.p_value is not None
    assert 0.005 < fifth.against.p_value < 0.05  # alone it would be significant
    assert not fifth.fell and found.first_fall is None


def wilson_section(correct: np.ndarray) -> IntervalSection:
    found = wilson(int(correct.sum()), correct.size)
    return IntervalSection(low=found.low, high=found.high, level=found.level, kind=found.kind)


def flipped(record: Record, name: str, wrong: int, right: int) -> Record:
    """The record of a model that decides so many comparisons wrongly, and others rightly."""
    assert record.table is not None
    rows = np.r_[
        np.flatnonzero(record.table.correct)[:wrong],
        np.flatnonzero(~record.table.correct)[:right],
    ]
    model = record.model.model_copy(update={"id": name, "weights_hash": name[-1] * 64})
    statistics = record.statistics
    assert statistics.kind == "verification"
    decisions = record.table.decisions.copy()
    decisions[rows] = ~decisions[rows]
    table = replace(record.table, decisions=decisions)
    shares = [float(table.correct[table.folds == fold].mean()) for fold in range(1, 11)]
    accuracy = statistics.accuracy.model_copy(
        update={
            "value": float(np.mean(shares)),
            "per_fold": tuple(shares),
            "spread": float(np.std(shares, ddof=1) / np.sqrt(len(shares))),
            "interval": wilson_section(table.correct),
        }
    )
    other = changed(
        record.with_table(table),
        model=model,
        statistics=statistics.model_copy(update={"accuracy": accuracy}),
    )
    scores = ScoresSection.of(table, record_name(name, other.signature))
    return changed(other, scores=scores)


def test_runs_of_the_same_moment_go_from_dense_to_sparse(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    """By name dense would come after a; by the fraction of a second early comes first."""
    moment = "2026-01-02T03:04:05{}+00:00"
    kept = {"a": 100, "b": 400, "dense": 900, "early": 200, "unknown": None, "late": 500}
    for number, (name, size) in enumerate(kept.items()):
        fraction = {"early": "", "late": ".900000"}.get(name, ".250000")
        record = make_record(
            name, per_kind=10, draws=0, created=moment.format(fraction), weights=f"{number}" * 64
        )
        model = record.model.model_copy(update={"kept_parameters": size})
        save_record(changed(record, model=model), tmp_path)
    (found,) = facebench.history(tmp_path)
    order = [run.record.model.id for run in found.runs]
    assert order == ["early", "dense", "b", "a", "unknown", "late"]
    sheet = history_table(found)
    shown = [row.cells[sheet.headings.index("created")].text for row in sheet.rows]
    assert set(shown) == {"2026-01-02 03:04"}


def test_a_record_is_made_at_a_fraction_of_a_second() -> None:
    moments = [run_section({}).created for _ in range(2)]
    assert "." in moments[0] and moments[0] <= moments[1]
    assert datetime.fromisoformat(moments[0]).tzinfo == UTC
    old = "2026-01-02T03:04:05+00:00"  # as earlier versions wrote it: the start of its second
    assert old < "2026-01-02T03:04:05.000001+00:00" < "2026-01-02T03:04:06+00:00"


def test_each_run_is_tested_as_it_is_alone(runs: Path) -> None:
    (found,) = facebench.history(runs)
    first = found.runs[0].record
    for run in found.runs[1:]:
        (alone,) = paired_statistics(first, run.record, ["accuracy"])
        assert replace(run.against, adjusted=None) == alone and alone.over_subjects
    assert "[95% interval over people], paired" in " ".join(history_table(found).reading)


def test_runs_without_scores_are_named_and_not_tested(runs: Path) -> None:
    for path in runs.rglob("run_6*.safetensors"):
        path.unlink()
    (found,) = facebench.history(runs)
    assert found.first_fall == 5 and not found.runs[3].against.tested
    assert any(
        line.startswith("not tested: run_6, the scores") for line in history_table(found).notes
    )
    for path in runs.rglob("*.safetensors"):
        path.unlink()
    (found,) = facebench.history(runs)
    assert history_table(found).verdict[0] == "No run could be tested for a fall."


def test_no_fall_is_said(runs: Path) -> None:
    for path in runs.rglob("*.json"):
        if "run_6" in path.name or "run_4" in path.name:
            path.unlink()
    (found,) = facebench.history(runs)
    assert found.first_fall is None
    assert history_table(found).verdict[0] == "No run fell significantly."


def test_another_statistic(runs: Path) -> None:
    (found,) = facebench.history(runs, "TAR@FAR=0.1")
    assert found.runs[1].against is not None
    assert found.runs[1].against.statistic == "TAR@FAR=0.1"
    with pytest.raises(UserError, match="no 'rank-1'"):
        facebench.history(runs, "rank-1")


def test_bytes_stand_in_for_unknown_parameters(runs: Path, make_record: MakeRecord) -> None:
    record = make_record("onnx", per_kind=100, draws=0, created="2026-02-01T00:00:00+00:00")
    model = record.model.model_copy(update={"kept_parameters": None, "bytes": 5_000_000})
    save_record(changed(record, model=model), runs)
    (found,) = facebench.history(runs)
    assert found.axis.name == "bytes" and found.runs[-1].place == 5_000_000


def test_data_never_share_a_history(runs: Path, make_record: MakeRecord) -> None:
    save_record(make_record("twin", kind="synthetic", per_kind=100, draws=0), runs)
    found = facebench.history(runs)
    assert sorted(len(history.runs) for history in found) == [1, 6]
    assert any("SYNTHETIC FACES" in history_table(history).title for history in found)


def test_a_run_that_was_aligned_differently_is_refused(runs: Path, make_record: MakeRecord) -> None:
    record = make_record("other", per_kind=100, draws=0, created="2026-02-01T00:00:00+00:00")
    save_record(changed(record, alignment="template"), runs)
    with pytest.raises(UserError, match="differ in alignment"):
        facebench.history(runs)


def test_formats(runs: Path) -> None:
    found = facebench.history(runs)
    lines = list(csv.DictReader(io.StringIO(histories_csv(found))))
    assert [line["first_fall"] for line in lines].index("True") == 3
    assert len(lines) == 6 and float(lines[0]["value"]) > 0.9
    sheets = [history_table(history) for history in found]
    for text in (to_markdown(sheets).replace("\\", ""), to_html(sheets, "history")):
        assert text.index("run_6 is the first to fall: −") < text.index("vs first")


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_figure_is_the_same_each_time(runs: Path, tmp_path: Path, ending: str) -> None:
    found = facebench.history(runs)
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    save_history_plot(found, one)
    save_history_plot(found, two)
    assert one.read_bytes() == two.read_bytes()


def test_the_figure_names_runs_directly(runs: Path, tmp_path: Path) -> None:
    save_history_plot(facebench.history(runs), tmp_path / "history.svg")
    text = texts_of(tmp_path / "history.svg")
    for number in range(6):
        assert f"run_{9 - number}" in text
    assert "first significant fall" in text and "kept parameters" in text


def test_a_wrong_ending_or_folder_is_one_line(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the ending must be one of"):
        save_history_plot(facebench.history(runs), tmp_path / "x.gif")
    with pytest.raises(UserError, match="is not a folder"):
        facebench.history(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no record"):
        facebench.history(tmp_path / "empty")


def made_at(make_record: MakeRecord, day: int, weights: str, folder: Path) -> None:
    strength = {"ab": 3.5, "cd": 2.0}[weights]
    save_record(
        make_record(
            "m",
            strength=strength,
            per_kind=50,
            draws=0,
            created=f"2026-01-0{day}T00:00:00+00:00",
            weights=weights * 32,
        ),
        folder,
    )


@pytest.mark.parametrize("folders", [("1", "2", "3"), ("kept", "kept", "kept")])
def test_a_model_that_went_back_is_a_run_again(
    make_record: MakeRecord, tmp_path: Path, folders: tuple[str, ...]
) -> None:
    """Its third state equals the first one, in folders of their own or in one."""
    for day, (weights, folder) in enumerate(zip(("ab", "cd", "ab"), folders, strict=True), 1):
        made_at(make_record, day, weights, tmp_path / folder)
    (found,) = facebench.history(tmp_path)
    assert [run.record.run.created[:10] for run in found.runs] == [
        "2026-01-01",
        "2026-01-02",
        "2026-01-03",
    ]
    assert [run.fell for run in found.runs] == [False, True, False]
    assert found.runs[0].record == found.runs[2].record


def test_evaluating_all_again_changes_no_history(runs: Path) -> None:
    before = histories_csv(facebench.history(runs))
    (found,) = facebench.history(runs)
    for number, run in enumerate(reversed(found.runs)):  # the last one first
        later = run.record.run.model_copy(update={"created": f"2026-06-0{number + 1}"})
        save_record(run.record.model_copy(update={"run": later}), runs)
    assert histories_csv(facebench.history(runs)) == before


def test_a_copy_of_a_record_is_no_run_of_its_own(runs: Path, tmp_path: Path) -> None:
    (found,) = facebench.history(runs)
    save_record(found.runs[2].record, runs / "copied")
    assert len(facebench.history(runs)[0].runs) == 6


def test_another_run_may_be_the_reference(runs: Path) -> None:
    (found,) = facebench.history(runs, reference="run_6")
    assert (found.reference, found.runs[3].against, found.versus) == (3, None, "run_6")
    assert all(run.against is not None for run in found.runs if run is not found.runs[3])
    against = found.runs[0].against
    assert against is not None and against.difference > 0.05 and against.verdict == "better"
    assert [run.fell for run in found.runs] == [False, False, False, False, False, True]
    sheet = history_table(found)
    assert "vs run_6" in sheet.headings and sheet.rows[3].cells[4].text == "reference"
    assert any(line.startswith("vs run_6: ") for line in sheet.reading)
    digest = found.runs[3].record.digest()[:8]
    assert facebench.history(runs, reference=digest)[0].reference == 3
    with pytest.raises(
        UserError, match=r"reference='run_66': no run on lfw .* did you mean 'run_6'"
    ):
        facebench.history(runs, reference="run_66")


def test_what_a_plot_leaves_out_is_said(runs: Path, make_record: MakeRecord) -> None:
    from facebench.figures.history import not_drawn

    assert not_drawn(facebench.history(runs)) == []
    record = make_record("last", per_kind=100, draws=0, created="2026-02-01T00:00:00+00:00")
    unknown = {"kept_parameters": None, "bytes": None}
    save_record(changed(record, model=record.model.model_copy(update=unknown)), runs)
    (line,) = not_drawn(facebench.history(runs))
    assert line == (
        "not in the plot: last on lfw (lfw-0123456789abcdef): its record does not tell its bytes"
    )


@pytest.mark.filterwarnings("error")
def test_runs_of_one_size_are_drawn_without_a_warning(
    tmp_path: Path, make_record: MakeRecord
) -> None:
    for day, name in enumerate(("before", "after"), 1):
        created = f"2026-01-0{day}T00:00:00+00:00"
        record = make_record(name, per_kind=100, draws=0, created=created)
        model = record.model.model_copy(update={"kept_parameters": 3_314_368})
        save_record(changed(record, model=model), tmp_path / "runs")
    save_history_plot(facebench.history(tmp_path / "runs"), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("x", "places", "heading", "words"),
    [
        ("kept", [17_836_928 // 2**n for n in range(6)], "kept", "kept parameters, fewer"),
        ("bytes", [2 * (17_836_928 // 2**n) for n in range(6)], "size", "bytes, fewer"),
        ("multiply-adds", [None, *(900 - n for n in range(1, 6))], "multiply-adds", "adds, fewer"),
        ("date", [1_767_225_600 + 86_400 * n for n in range(6)], "created", "date"),
        ("run", [1, 2, 3, 4, 5, 6], "number", "run, in the order"),
    ],
)
def test_runs_along_another_axis(
    runs: Path, tmp_path: Path, x: Along, places: list[int | None], heading: str, words: str
) -> None:
    """multiply-adds: without those of zeros where these are known; the first record has none."""
    records = []
    for n, run in enumerate(facebench.history(runs)[0].runs):
        told = {"multiply_adds": 1000, "kept_multiply_adds": 900 - n} if n else {}
        model = run.record.model.model_copy(update=told)
        records.append(changed(run.record, model=model))
    (found,) = facebench.history(records, x=x)
    assert [run.place for run in found.runs] == places
    plain = history_table(facebench.history(records)[0])
    table = history_table(found)
    assert [column.heading for column in table.columns][:2] == ["run", heading]
    assert not table.columns[1].aside
    assert {c.heading for c in table.columns} - {"number"} == {c.heading for c in plain.columns}
    save_history_plot([found], tmp_path / "plot.svg")
    texts = texts_of(tmp_path / "plot.svg")
    assert words in texts and ("run_9 (" in texts or "run_9" in texts) == (places[0] is not None)


def test_an_axis_that_there_is_not(runs: Path) -> None:
    with pytest.raises(UserError, match=r"x='size': is none of kept, bytes, multiply-adds, date"):
        facebench.history(runs, x="size")  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"x is \['bytes'\]; it must be like 'bytes'"):
        facebench.history(runs, x=["bytes"])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"no record on lfw \(.*\) tells its multiply-adds; eval"):
        facebench.history(runs, x="multiply-adds")
