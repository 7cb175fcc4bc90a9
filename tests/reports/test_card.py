"""Report cards: what they must say, and that the shipped ones say what the papers do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.records.statistics import family, unit_of
from facebench.reports.card import ReportCard, ReportRow, groups, list_reports, load_report

CARD = """
name = "mine"
title = "Mine"
reference = "one"

[[columns]]
key = "accuracy"
heading = "accuracy"
statistic = "accuracy"
protocol = "lfw"

[[rows]]
label = "one"
model = "baseline"
paper = { accuracy = 0.9 }
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def one_line(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_report(write(folder, text))
    message = str(caught.value)
    assert "\n" not in message and "mine.toml" in message
    return message


def test_a_card_is_read(tmp_path: Path) -> None:
    card = load_report(write(tmp_path, CARD))
    assert card.protocols == ["lfw"]
    paper = card.rows[0].paper["accuracy"]
    assert (paper.value, paper.spread) == (0.9, None)
    assert card.columns[0].unit == "percent"


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ('statistic = "accuracy"', 'statistic = "acuracy"', "did you mean 'accuracy'?"),
        ('statistic = "accuracy"', 'statistic = "TAR@FAR=2"', "no statistic 'TAR@FAR=2'"),
        ('statistic = "accuracy"', 'statistic = "TAR@FAR=x"', "no statistic 'TAR@FAR=x'"),
        ('statistic = "accuracy"', 'statistic = "rank-0"', "did you mean 'rank-"),
        ('statistic = "accuracy"', 'statistic = "bytes"', "'bytes' belongs to no protocol"),
        ('protocol = "lfw"', "", "'accuracy' needs a protocol"),
        ('protocol = "lfw"', 'protocol = "lwf"', "did you mean 'lfw'?"),
        ('reference = "one"', 'reference = "oen"', "did you mean 'one'?"),
        ('heading = "accuracy"', 'heding = "accuracy"', "did you mean 'heading'?"),
        ("{ accuracy = 0.9 }", "{ acuracy = 0.9 }", "no column 'acuracy'; did you mean"),
        ("{ accuracy = 0.9 }", '{}\nwithout = ["acuracy"]', "no column 'acuracy'; did you mean"),
        ("{ accuracy = 0.9 }", "{ accuracy = { value = 1, spread = -1 } }", "spread"),
        ("{ accuracy = 0.9 }", "{ accuracy = true }", "accuracy"),
        ('name = "mine"', 'name = "yours"', "it must be the file's, 'mine'"),
        ('model = "baseline"', 'layer = "5c"', "did you mean '5"),
        ('model = "baseline"', 'similarity = "cosin"', "did you mean 'cosine'?"),
        ('title = "Mine"', 'title = "Mine', "not TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, wrong: str, right: str, said: str
) -> None:
    assert wrong in CARD
    assert said in one_line(tmp_path, CARD.replace(wrong, right))


def test_labels_and_keys_are_used_once(tmp_path: Path) -> None:
    again = CARD[CARD.index("[[rows]]") :]
    assert "row label 'one' is used twice" in one_line(tmp_path, CARD + again)


def test_an_unknown_card_suggests_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'table9'"):
        load_report("tabel9")


@pytest.mark.parametrize(
    ("statistic", "of", "unit"),
    [
        ("TAR@FAR=1e-3", "protocol", "percent"),
        ("TPIR@FPIR=0.01", "protocol", "percent"),
        ("rank-20", "protocol", "percent"),
        ("compression_ratio", "model", "ratio"),
        ("layer:output", "layer", "plain"),
        ("card:parent", "card", "plain"),
        ("diagnostic:anything_1", "diagnostic", "plain"),
    ],
)
def test_families_and_units(statistic: str, of: str, unit: str) -> None:
    assert (family(statistic), unit_of(statistic)) == (of, unit)


def test_every_shipped_card_loads_and_the_papers_tables_are_there() -> None:
    names = {card.name for card in list_reports()}
    tables = {f"table{number}" for number in range(1, 10)} | {"figure1", "section55"}
    assert tables | {"distillation", "taylor", "compare"} <= names
    assert {card.name for card in groups()["paper"]} == tables


@pytest.mark.parametrize("name", [f"table{number}" for number in (3, 4, 5, 6, 7, 8, 9)])
def test_every_value_of_a_row_stands_in_one_row_of_the_papers_text(
    name: str, shared_data: Path
) -> None:
    lines = _paper(shared_data)
    card = load_report(name)
    for row in card.rows:
        values = [value.value for value in row.paper.values()]
        if values:
            assert any(all(_stands(v, line) for v in values) for line in lines), row.label


def test_the_papers_layers_are_those_of_table_1(shared_data: Path) -> None:
    text = "\n".join(_paper(shared_data)).replace(r" \times ", "×").replace("$", "")
    for row in load_report("table1").rows:
        line = next(line for line in text.splitlines() if line.startswith(f"{row.label}\t"))
        outputs, parameters = line.split("\t")[-2:]
        assert outputs == row.paper["output"].value
        assert row.paper["parameters"].value == _count(parameters)


@pytest.mark.parametrize(
    ("row", "column", "value", "sentence"),
    [
        ("sparse, ensemble of 25", "accuracy", 0.9955, r"$0.9955 \pm 0.0010$ face verification"),
        ("sparse, ensemble of 25", "closed", 0.962, "**0.962** closed-set"),
        ("sparse, ensemble of 25", "open", 0.864, "**0.864** open-set"),
        ("sparse, ensemble of 25", "ytf", 0.935, "ensemble of 25 sparse ConvNets achieves 93.5%"),
        ("sparse, ensemble of 25", "members", 0.9766, "improve the mean accuracy to 97.66%"),
        ("sparse, single", "ytf", 0.927, "our single sparse ConvNet achieves 92.7%"),
        ("baseline, 25 networks", "members", 0.9726, "25 baseline models is 97.26%"),
        ("DeepID2+, single", "accuracy", 0.987, "compared to 98.70% for a single DeepID2+"),
        ("DeepID2+, single", "ytf", 0.919, "the 91.9% face verification accuracy of a single"),
        ("DeepID2+, 25 networks", "accuracy", 0.9947, "0.9947 from the previous"),
        ("DeepID2+, 25 networks", "closed", 0.950, "0.950 and 0.807 closed- and open-set"),
        ("DeepID2+, 25 networks", "open", 0.807, "0.950 and 0.807 closed- and open-set"),
        ("DeepID2+, 25 networks", "members", 0.9661, "mean accuracy of 96.61% for 25 models"),
        ("DeepID2+, 25 networks", "ytf", 0.932, "the 93.2% face verification accuracy of the"),
        ("FaceNet", "accuracy", 0.9963, r"$0.9963 \pm 0.0009$ face verification"),
        ("FaceNet", "ytf", 0.951, "(95.1% and 97.3%, respectively) on YTF"),
        ("Deep Face Recognition", "ytf", 0.973, "(95.1% and 97.3%, respectively) on YTF"),
    ],
)
def test_the_sentences_of_section_55(
    row: str, column: str, value: float, sentence: str, shared_data: Path
) -> None:
    text = " ".join(" ".join(_paper(shared_data)).split()).replace("an $0.9963", "$0.9963")
    assert sentence in text
    found = _paper_of(load_report("section55"), row, column)
    assert found == value


def test_headlines_of_the_other_papers(shared_data: Path) -> None:
    distilled = _seed(shared_data, "neuron-selection-distillation.txt")
    card = load_report("distillation")
    assert "51.6 times compression ratio and 90 times speed-up" in distilled
    assert _paper_of(card, "student, selected neurons", "times") == 51.6
    assert _paper_of(card, "student, selected neurons", "speed") == 90
    taylor, card = _seed(shared_data, "taylor-pruning.txt"), load_report("taylor")
    rows = ("SqueezeNet 1.1", "MobileNetV2, half width", "ResNet-50, quarter width")
    for row, millions in zip(rows, (1.24, 3.5, 23.5), strict=True):
        assert f"({millions}M" in taylor
        assert _paper_of(card, row, "parameters") == millions * 1e6


def _paper_of(card: ReportCard, row: str, column: str) -> object:
    found = next(one for one in card.rows if one.label == row)
    return found.paper[column].value


def _seed(shared_data: Path, name: str) -> str:
    path = shared_data.parent / "seeds" / name
    if not path.is_file():
        pytest.skip(f"the paper's text {path} is not here")
    return path.read_text(encoding="utf-8")


def _paper(shared_data: Path) -> list[str]:
    return _seed(shared_data, "sparsifying-connections.txt").splitlines()


def _stands(value: object, line: str) -> bool:
    numbers = [float(n) for n in re.findall(r"(?<![\d/.])\d+(?:\.\d+)?(?![\d/])", line)]
    return value in numbers


def _count(text: str) -> float:
    return round(float(text[:-1]) * {"K": 1e3, "M": 1e6}[text[-1]])


def test_a_row_may_have_a_reference_of_its_own() -> None:
    card = load_report("table8")
    named = {row.label: card.reference_of(row) for row in card.rows}
    assert named["1/256-f, OBD"] == "1/256-f, correlation"
    assert named["1/128-5b, BRP"] == "1/128-5b, correlation, as long as BRP"
    longer = "1/2-4b, correlation, as long as BRP"
    assert named[longer] == longer
    assert card.reference_of(ReportRow(label="another")) is None
    values = card.model_dump()
    values["rows"][0]["reference"] = "1/256-f, correlaton"
    with pytest.raises(ValueError, match="did you mean '1/256-f, correlation'"):
        ReportCard.model_validate(values)
