"""The page: self-contained, escaped, and with everything a reader needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

from facebench.base.vocabulary import SYNTHETIC_LABEL
from facebench.records.record import Record
from facebench.tables.html import to_html
from facebench.tables.records import record_tables

MakeRecord = Callable[..., Record]
VOID = {"meta", "br", "hr", "img", "link", "input"}
LOADING = {"src", "href", "xlink:href", "data", "action", "poster", "srcset", "background"}


class Page(HTMLParser):
    """Elements in order, text, and whether the tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def page(*records: Record) -> tuple[str, Page]:
    text = to_html(record_tables(list(records)), "records")
    return text, Page(text)


def test_a_model_called_script_stays_text(make_record: MakeRecord) -> None:
    name = "<script>alert(1)</script>\"'><img src=x onerror=y>&amp;"
    text, parsed = page(make_record(model=name), make_record(model="b", seed=1))
    assert not parsed.open
    assert "script" not in {tag for tag, _ in parsed.elements}
    assert "img" not in {tag for tag, _ in parsed.elements}
    assert not any(key.startswith("on") for _, attrs in parsed.elements for key in attrs)
    assert name in "".join(parsed.text)
    assert "<script" not in text


def test_the_page_loads_nothing(make_record: MakeRecord) -> None:
    text, parsed = page(make_record(), make_record(kind="synthetic"))
    for tag, attrs in parsed.elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
        assert not LOADING & set(attrs)
    assert not re.search(r"url\(|@import|https?://", text)
    policy = [attrs for tag, attrs in parsed.elements if attrs.get("http-equiv")]
    assert policy[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_synthetic_faces_are_labelled_in_title_notice_and_plot(make_record: MakeRecord) -> None:
    _, parsed = page(make_record(kind="synthetic"))
    text = " ".join(" ".join(parsed.text).split())
    assert text.count(SYNTHETIC_LABEL) >= 3  # title, heading, caption of the plot
    assert "NOTICE" in text and "no number here is about real faces" in text
    drawn = [attrs for tag, attrs in parsed.elements if "synthetic" in (attrs.get("class") or "")]
    assert len(drawn) == 4  # two lines each in ROC and DET
    _, real = page(make_record())
    assert "SYNTHETIC" not in " ".join(real.text)


def test_folds_and_signature_of_every_row(make_record: MakeRecord) -> None:
    records = [make_record(model="a"), make_record(model="b", seed=1)]
    _, parsed = page(*records)
    text = "".join(parsed.text)
    # More plots, the other numbers, how to read it all, and what is behind each row.
    assert sum(tag == "details" for tag, _ in parsed.elements) == 5
    for record in records:
        assert record.signature in text and record.digest() in text
        for value in record.statistics.accuracy.per_fold:
            assert f"{100 * value:.2f}" in text


def test_readable_in_the_dark_and_on_a_phone(make_record: MakeRecord) -> None:
    text, parsed = page(make_record())
    assert "prefers-color-scheme: dark" in text and "max-width: 60rem" in text
    assert any(attrs.get("name") == "viewport" for _, attrs in parsed.elements)
    labels = [attrs["data-label"] for tag, attrs in parsed.elements if "data-label" in attrs]
    assert labels[:3] == ["size", "kept", "accuracy % ± SE"] and labels[-1] == "FTA %"
