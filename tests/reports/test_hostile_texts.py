"""Names and notices in records act on no terminal, page, build or spreadsheet, in any format."""

from __future__ import annotations

import json
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from facebench.cli.results import FORMATS, render
from facebench.comparison.compare import compare_records
from facebench.figures.curves.curves import curve_names
from facebench.figures.curves.svg import roc_svg
from facebench.gate.formats import render_gate
from facebench.gate.judge import GateResult, Verdict
from facebench.gate.rules import parse_rule
from facebench.records.record import Record
from facebench.tables.html import to_html
from facebench.tables.markdown import to_markdown
from facebench.tables.paired.comparison import comparison_table, comparisons_csv, comparisons_json
from facebench.tables.records import record_tables
from facebench.tables.terminal import console_for, tables_text

MakeRecord = Callable[..., Record]
NAME = (
    "evil\x1b]0;owned\x07\n::error file=a.py,line=1::pwned\x9b31m\u202e ##[error]x [red]y[/red] "
    + "z" * 200
    + "::warning::w"
)


def hostile(make_record: MakeRecord, model: str = NAME) -> Record:
    record = make_record(model=model, kind="synthetic")
    data = record.data.model_copy(update={"notice": NAME, "fingerprint": f"lfw-{NAME}"})
    return record.model_copy(update={"data": data, "notes": (NAME,)})


def assert_harmless(text: str) -> None:
    wrong = [c for c in text if c != "\n" and not c.isprintable() and c != "\N{NO-BREAK SPACE}"]
    assert not wrong, {hex(ord(c)) for c in wrong}
    assert not [line for line in text.splitlines() if line.strip().startswith("::")]
    assert "##[" not in text and "##vso[" not in text


@pytest.mark.parametrize("format", FORMATS)
def test_the_result_of_an_evaluation(format: str, make_record: MakeRecord) -> None:
    records = [hostile(make_record), hostile(make_record, NAME + "2")]
    text = render(format, records, record_tables(records))  # type: ignore[arg-type]
    assert_harmless(text)
    if format == "json":  # whatever is written, it reads back the same
        assert [value["model"]["id"] for value in json.loads(text)] == [NAME, NAME + "2"]
    else:
        assert "pwned" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_on_a_terminal_show_brackets_and_no_escapes(
    width: int, make_record: MakeRecord
) -> None:
    records = [hostile(make_record), hostile(make_record, NAME + "2")]
    console = console_for()
    console.width = width
    compared = comparison_table(compare_records(records[0], records[1:])[0])
    text = tables_text([*record_tables(records), compared], console)
    assert_harmless(text)
    assert "[red]" in text or width == 40  # broken anywhere there


def test_a_comparison(make_record: MakeRecord) -> None:
    compared = compare_records(hostile(make_record), [hostile(make_record, NAME + "2")])[0]
    sheets = [comparison_table(compared)]
    assert_harmless(to_markdown(sheets))
    assert_harmless(to_html(sheets, NAME))
    assert_harmless(comparisons_json([compared]))
    assert_harmless(comparisons_csv([compared]))


@pytest.mark.parametrize("format", ["text", "md", "junit", "github"])
def test_a_gate(format: str) -> None:
    rule = parse_rule("lfw.accuracy drop <= 0.3pt at 95%", "here")
    result = GateResult((Verdict(rule, NAME, "fail", NAME, NAME, NAME, NAME),), "report")
    text = render_gate(result, format)  # type: ignore[arg-type]
    if format == "github":
        outcome, command, *rest = text.splitlines()
        assert outcome.startswith("FAIL: evil")
        assert command.startswith("::error title=facebench gate%3A fail::evil")
        assert_harmless("\n".join([outcome, command.removeprefix("::"), *rest]))
    else:
        assert_harmless(text)
    if format == "junit":
        ElementTree.fromstring(text.encode())


def test_a_drawing(make_record: MakeRecord) -> None:
    records = [hostile(make_record), hostile(make_record, NAME + "2")]
    assert_harmless(str(roc_svg(records, curve_names(records[0])[0])))


def test_plain_names_are_shown_as_they_are(make_record: MakeRecord) -> None:
    records = [make_record(model="sparse_074-é.v2")]
    for format in FORMATS:
        text = render(format, records, record_tables(records))  # type: ignore[arg-type]
        assert "sparse_074-é.v2" in text.replace("\\_", "_")
