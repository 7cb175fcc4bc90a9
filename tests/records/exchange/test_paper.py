"""Values by name, and BibTeX, as TeX and BibTeX take them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from facebench.protocols.cards import list_protocols
from facebench.records.exchange.paper import bibtex, protocols_bib, values_tex
from facebench.records.record import Record

MakeRecord = Callable[..., Record]
VALUE = re.compile(r"\\csname fb@(.*?)\\endcsname\{(.*)\}$", re.M)


def values(*records: Record) -> dict[str, str]:
    return dict(VALUE.findall(values_tex(records, "")["values.tex"].decode()))


def test_a_value_is_that_of_its_record(make_record: MakeRecord) -> None:
    record = make_record("sparse_074")
    found = values(record)
    (accuracy,) = [key for key in found if key.endswith(".accuracy")]
    assert accuracy.startswith("sparse_074.")
    assert found[accuracy] == f"{100 * record.statistics.headline.value:.2f}"
    shown = record.statistics.accuracy.shown  # type: ignore[union-attr]
    assert shown is not None
    assert found[f"{accuracy}.low"] == f"{100 * shown.low:.2f}"
    assert found[f"{accuracy}.high"] == f"{100 * shown.high:.2f}"


def test_two_records_never_share_a_name(make_record: MakeRecord) -> None:
    first, second = make_record("a"), make_record("a", seed=1)
    assert len(values(first, second)) == 2 * len(values(first))


@pytest.mark.parametrize("protocol", list_protocols(), ids=lambda card: card.name)
def test_every_shipped_protocol_has_authors_a_title_and_a_year(protocol) -> None:
    entry = bibtex(protocol.source, [protocol.name])
    assert "author = {{" in entry and re.search(r"year = \{(19|20)\d\d\}", entry)
    title = re.search(r"title = \{\{(.*)\}\}", entry)
    assert title is not None and 8 < len(title[1]) < 140


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_tex_takes_the_values_and_bibtex_the_entries(
    make_record: MakeRecord, tmp_path: Path
) -> None:
    record = make_record("odd_model%#1")
    (tmp_path / "values.tex").write_bytes(values_tex([record], "")["values.tex"])
    (tmp_path / "protocols.bib").write_bytes(protocols_bib([record], "")["protocols.bib"])
    key = next(key for key in values(record) if key.endswith(".accuracy"))
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\input{values}\\begin{document}\\typeout{IS \\fb{" + key + "}}"
        "\\typeout{NOT \\fb{nothing}}\\nocite{*}\\bibliographystyle{plain}"
        "\\bibliography{protocols}\\end{document}"
    )
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "paper.tex"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    said = run.stdout.decode("latin-1")
    assert f"IS {values(record)[key]}" in said
    assert "facebench has no value called nothing" in said
    made = subprocess.run(["bibtex", "paper"], cwd=tmp_path, capture_output=True, timeout=60)
    assert made.returncode == 0, made.stdout.decode()
