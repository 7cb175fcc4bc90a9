"""Records as other programs' files, each read back by its own library."""

from __future__ import annotations

import io
import json
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
