"""Records as other programs' files, each read back by its own library."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pandas
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results
from jsonschema import Draft7Validator

from facebench.base.errors import UserError
from facebench.records.exchange import EXCHANGE_FORMATS, ExchangeFormat, exchanged
from facebench.records.frames import frame, named_estimates
from facebench.records.record import Record
from facebench.records.sections import RateSection, RatesSection
from facebench.statistics.groups.summaries import RATIOS
from tests.helpers.grouped import toy_records

# Of every-eval-ever 0.3.0 (MIT, EvalEval 2026), whose package needs Python 3.12.
SCHEMA = json.loads(Path(__file__).with_name("eval.schema-0.3.0.json").read_text())
MakeRecord = Callable[..., Record]


@pytest.fixture
def records(make_record: MakeRecord) -> list[Record]:
    """Two models on photographs, one of them on rendered faces too."""
    return [
        make_record("plain", per_kind=40, draws=20),
        make_record("odd/näme", seed=1, per_kind=40, draws=20),
        make_record("plain", kind="synthetic", per_kind=40, draws=20),
    ]


def rates(record: Record) -> Record:
    """The record with the statistics of a search, which have other parameters."""
    found = (
        RateSection(name="TPIR", target=0.01, value=0.5, spread=None, interval=None,
                    spread_kind="standard deviation", per_part=(0.5,)),
        RateSection(name="rank", target=5, value=0.75, spread=0.1, interval=None,
                    spread_kind="standard error", per_part=(0.75,)),
    )  # fmt: skip
    section = RatesSection(parts="splits", number_of_parts=1, rates=found)
    return record.model_copy(update={"statistics": section})


def test_parquet_is_the_frame(records: list[Record]) -> None:
    ((name, content),) = exchanged("parquet", records, "mine").items()
    assert name == "mine.parquet"
    read = pandas.read_parquet(io.BytesIO(content))
    expected = frame(records)
    plain = [table.astype(object).where(table.notna(), None) for table in (read, expected)]
    pandas.testing.assert_frame_equal(*plain)
    assert set(read["notice"].dropna()) and (read["notice"].notna() == (
        read["data_kind"] == "synthetic")).all()  # fmt: skip
    assert (read["mated"] + read["nonmated"] == read["comparisons"]).all()


def test_every_eval_ever_is_of_its_schema_and_says_the_same(records: list[Record]) -> None:
    records.append(rates(records[0]))
    files = exchanged("every-eval-ever", records, "")
    assert len(files) == 4
    for record, (path, content) in zip(records, files.items(), strict=True):
        values = json.loads(content)
        Draft7Validator(SCHEMA).validate(values)
        collection, developer, model, file = Path(path).parts[1:]
        assert (collection, values["model_info"]["id"]) == ("facebench", f"{developer}/{model}")
        assert file.endswith(".json") and values["model_info"]["name"] == record.model.id
        expected = named_estimates(record.statistics)
        assert [one["metric_config"]["metric_name"] for one in values["evaluation_results"]] == [
            *expected
        ]
        for one, estimate in zip(values["evaluation_results"], expected.values(), strict=True):
            assert one["score_details"]["score"] == estimate.value
            assert one["metric_config"]["lower_is_better"] == (
                one["metric_config"]["metric_name"] == "eer"
            )
            if estimate.interval is not None:
                told = one["score_details"]["uncertainty"]["confidence_interval"]
                assert (told["lower"], told["upper"], told["confidence_level"]) == (
                    estimate.interval.low, estimate.interval.high, estimate.interval.level,
                )  # fmt: skip
    searched = json.loads(list(files.values())[3])["evaluation_results"]
    assert [one["metric_config"]["metric_parameters"] for one in searched] == [
        {"fpir": 0.01}, {"rank": 5}
    ]  # fmt: skip
    assert exchanged("every-eval-ever", records, "") == files, "the same record, the same bytes"


def test_synthetic_faces_are_labelled_in_every_format(records: list[Record]) -> None:
    for format in ("every-eval-ever", "model-index", "eval-results"):
        files = exchanged(format, records[2:], "")
        text = " ".join(content.decode() for content in files.values())
        assert "SYNTHETIC FACES" in text or records[2].data.notice in text, format


def test_model_index_is_read_by_the_hub_s_library(records: list[Record]) -> None:
    files = exchanged("model-index", records, "")
    assert len(files) == 2, "a file for each model"
    card = huggingface_hub.ModelCard(files["plain/README.md"].decode())
    found = card.data.eval_results
    assert found and card.data.model_name == "plain"
    accuracies = {one.dataset_name: one.metric_value for one in found
                  if one.metric_type == "accuracy"}  # fmt: skip
    assert accuracies == {
        record.data.name: round(100 * record.statistics.headline.value, 4)
        for record in (records[0], records[2])
    }
    heading = yaml.safe_load(files["plain/README.md"].decode().split("---")[1])
    assert model_index_to_eval_results(heading["model-index"])[0] == "plain"


def test_eval_results_are_read_by_the_hub_s_library(records: list[Record]) -> None:
    files = exchanged("eval-results", records, "")
    own = yaml.safe_load(files["plain/.eval_results/lfw.yaml"])
    entries = huggingface_hub.parse_eval_result_entries(own)
    assert [entry.dataset_id for entry in entries] == [
        records[0].data.name, records[2].data.name
    ]  # fmt: skip
    for entry, record in zip(entries, (records[0], records[2]), strict=True):
        assert entry.value == round(100 * record.statistics.headline.value, 4)
        assert record.signature in entry.notes


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """By colours of people, and by glasses in images."""
    folder = tmp_path_factory.mktemp("grouped")
    return toy_records(folder, "colour", "glasses", draws=20)[0]


def test_the_frame_has_every_number_of_groups(grouped: Record) -> None:
    """Each is looked up in the section by its name; those of two labels once."""
    rows = frame([grouped])
    own = named_estimates(grouped.statistics)
    assert (
        list(rows["statistic"][: len(own)]) == list(own) and rows["group"][: len(own)].isna().all()
    )
    seen, expected = set(), 0
    for row in rows[len(own) :].to_dict("records"):
        told = re.fullmatch(r"(\w+)@(\S+) by (\w+)", row["statistic"])
        assert told is not None
        metric, target, column = told[1], float(told[2]), told[3]
        (section,) = (one for one in grouped.groups if one.column == column)
        point = section.point(target)
        assert point is not None and row["reached"] == point.far
        found: object
        if pandas.isna(row["group"]):
            summary = point.summary(metric)
            assert summary is not None and (row["expected"], row["p_value"]) == (
                summary.expected, summary.p_value,
            )  # fmt: skip
            found = summary
        else:
            places = [section.names.index(name) for name in row["group"].split(" × ")]
            rates = {"group_fmr": point.fmr_of, "group_fnmr": point.fnmr_of}[metric]
            rate = point.matrix[places[1]][places[0]] if len(places) == 2 else rates[places[0]]
            assert (row["errors"], row["number"]) == (rate.errors, rate.number)
            assert row["resolvable"] == rate.resolvable
            found = rate
        assert row["value"] == found.value  # type: ignore[attr-defined]
        if found.interval is not None:  # type: ignore[attr-defined]
            assert row["high"] == found.interval.high  # type: ignore[attr-defined]
        seen.add((row["statistic"], row["group"]))
    for section in grouped.groups:
        for point in section.points:
            k = len(point.matrix)
            rates = [*point.fmr_of, *point.fnmr_of]
            rates += [point.matrix[a][b] for a in range(k) for b in range(a)]
            expected += len(point.summaries) + sum(one.value is not None for one in rates)
    assert len(seen) == len(rows) - len(own) == expected


def test_frames_without_groups_are_as_they_were(records: list[Record], grouped: Record) -> None:
    assert "group" not in frame(records).columns
    both = frame([records[0], grouped])
    assert both["group"][both["model"] == "plain"].isna().all()


def test_groups_in_parquet(grouped: Record) -> None:
    ((_, content),) = exchanged("parquet", [grouped], "mine").items()
    read, expected = pandas.read_parquet(io.BytesIO(content)), frame([grouped])
    plain = [table.astype(object).where(table.notna(), None) for table in (read, expected)]
    pandas.testing.assert_frame_equal(*plain)
    assert "blue × red" in set(read["group"])


def test_groups_in_every_eval_ever(grouped: Record) -> None:
    ((_, content),) = exchanged("every-eval-ever", [grouped], "").items()
    values = json.loads(content)
    Draft7Validator(SCHEMA).validate(values)
    results = values["evaluation_results"][len(named_estimates(grouped.statistics)) :]
    rows = frame([grouped])
    rows = rows[rows["statistic"].str.contains(" by ")].to_dict("records")
    assert len(results) == len(rows) == len({one["evaluation_result_id"] for one in results})
    for one, row in zip(results, rows, strict=True):
        config, details = one["metric_config"], one["score_details"]
        assert details["score"] == row["value"]
        parameters = config["metric_parameters"]
        assert f"by {parameters['by']}" in row["statistic"]
        assert parameters.get("group") == (None if pandas.isna(row["group"]) else row["group"])
        assert config["lower_is_better"] == (not config["metric_kind"].startswith("fdr"))
        assert config["max_score"] == 1 or details["score"] >= 1  # the worst over another
        if not pandas.isna(row["p_value"]):
            assert details["details"]["p_value"] == str(row["p_value"])


def test_groups_in_a_model_index(grouped: Record) -> None:
    """At one FMR of each column; the hub's numbers are in percent, ratios are not."""
    ((_, content),) = exchanged("model-index", [grouped], "").items()
    found = huggingface_hub.ModelCard(content.decode()).data.eval_results
    assert found
    by_name = {one.metric_name.partition(", ")[0]: one for one in found}
    for section in grouped.groups:
        point = section.point(section.usual)
        assert point is not None
        at = f"@{point.target:g} by {section.column}"
        for summary in point.summaries:
            one = by_name[f"{summary.name}{at}"]
            ratio = summary.name in RATIOS
            assert one.metric_value == (summary.value if ratio else round(100 * summary.value, 4))
            assert one.metric_args["unit"] == ("ratio" if ratio else "percent")
        for group, rate in zip(section.names, point.fnmr_of, strict=True):
            assert rate.value is not None
            assert by_name[f"group_fnmr{at}: {group}"].metric_value == round(100 * rate.value, 4)
        others = [point.target for point in section.points if point.target != section.usual]
        assert not any(f"@{target:g} by {section.column}" in name
                       for target in others for name in by_name)  # fmt: skip


def test_one_number_a_protocol_has_no_groups(grouped: Record) -> None:
    ((_, content),) = exchanged("eval-results", [grouped], "").items()
    assert len(huggingface_hub.parse_eval_result_entries(yaml.safe_load(content))) == 1


@pytest.mark.parametrize(
    ("format", "module", "extra"),
    [
        ("parquet", "pyarrow", "facebench[parquet]"),
        ("model-index", "huggingface_hub", "facebench[huggingface]"),
        ("eval-results", "huggingface_hub", "facebench[huggingface]"),
    ],
)
def test_a_missing_package_is_named(
    records: list[Record], monkeypatch: pytest.MonkeyPatch, format: ExchangeFormat, module: str,
    extra: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(UserError) as caught:
        exchanged(format, records, "")
    assert extra in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_format_is_refused() -> None:
    assert "csv" not in EXCHANGE_FORMATS
    with pytest.raises(ValueError, match="none of parquet"):
        exchanged("csv", [], "")  # type: ignore[arg-type]
