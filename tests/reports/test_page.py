"""The page of a report in a real browser: sorting, opening, the theme, and that it stays alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facebench.records.files import save_record
from facebench.records.find import Finder
from facebench.records.record import Record
from facebench.reports.build import fill_card, with_rows
from facebench.reports.card import load_report
from facebench.reports.formats import render_index
from facebench.reports.html import report_html
from tests.helpers.chromium import Browser, chromium
from tests.helpers.records import MakeRecord

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="Chromium is not installed (apt-get install chromium)"
)
EVIL = "<script>document.title='owned'</script>"
UNRECORDED = "squeezenet1_1"  # a model of the zoo without a record here
LIGHT, DARK = (255, 255, 255), (18, 22, 27)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.helpers.records import drawn_record

    folder = tmp_path_factory.mktemp("page")
    for seed, (model, strength) in enumerate((("a", 3.0), ("b", 5.0), ("c", 4.0), (EVIL, 2.0))):
        made: Record = drawn_record(model, seed=seed, strength=strength, per_kind=40, draws=20)
        save_record(made, folder / "records")
    finder = Finder.of([folder / "records"], cache=False)
    card = with_rows(load_report("compare"), finder, ["a", "b", "c", EVIL, UNRECORDED])
    path = folder / "page.html"
    path.write_text(report_html(fill_card(card, finder), card.title))
    return path


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as opened:
        yield opened
        assert opened.errors == []
        assert all(url.startswith("file:") for url in opened.requests)
        assert len(opened.requests) == 1, "the page asked for something beside itself"


def labels(browser: Browser) -> list[str]:
    return browser.run(
        "[...document.querySelector('.report')"
        ".querySelectorAll(':scope > tbody > tr:first-child > th')]"
        ".map(cell => cell.textContent.trim())"
    )


HEADING = "document.querySelectorAll('.report > thead th')"


def test_a_column_is_sorted_by_click_and_by_key(browser: Browser, page: Path) -> None:
    browser.look(1200, 900, "light")
    browser.open(page)
    assert labels(browser) == ["a", "b", "c", EVIL, UNRECORDED]
    browser.run(f"{HEADING}[1].querySelector('button').click()")
    assert labels(browser) == ["b", "c", "a", EVIL, UNRECORDED]  # highest first, unknown last
    assert browser.run(f"{HEADING}[1].getAttribute('aria-sort')") == "descending"
    assert browser.run(f"{HEADING}[2].getAttribute('aria-sort')") == "none"
    assert "highest first" in browser.run("document.getElementById('said').textContent")
    browser.run(f"{HEADING}[1].querySelector('button').focus()")
    browser.press("Enter")
    assert labels(browser) == [EVIL, "a", "c", "b", UNRECORDED]
    assert browser.run(f"{HEADING}[1].getAttribute('aria-sort')") == "ascending"


def test_a_row_opens_into_its_folds_and_signature(browser: Browser, page: Path) -> None:
    browser.look(1200, 900, "light")
    browser.open(page)
    button = "document.querySelectorAll('.report .open')[1]"
    more = "document.getElementById('t1r2')"
    assert browser.run(f"{button}.getAttribute('aria-controls')") == "t1r2"
    assert browser.run(f"{more}.offsetHeight") == 0
    browser.run(f"{button}.focus()")
    browser.press("Enter")
    assert browser.run(f"{button}.getAttribute('aria-expanded')") == "true"
    assert browser.run(f"{more}.offsetHeight") > 100
    text = browser.run(f"{more}.innerText")
    assert "|model:b|" in text and "against a:" in text
    assert browser.run(f"{more}.querySelectorAll(':scope tbody tr').length") == 10
    browser.run(f"{HEADING}[1].querySelector('button').click()")  # stays with its row
    assert browser.run(f"{more}.previousElementSibling.innerText").startswith("b")


def test_the_theme_follows_the_system_and_the_switch(browser: Browser, page: Path) -> None:
    for scheme, ground, other in (("light", LIGHT, DARK), ("dark", DARK, LIGHT)):
        browser.look(1200, 900, scheme)
        browser.open(page)
        assert tuple(browser.screenshot()[3, 3]) == ground
        name = browser.run("document.getElementById('theme').textContent")
        assert name == ("Dark theme" if scheme == "light" else "Light theme")
        browser.run("document.getElementById('theme').click()")
        assert tuple(browser.screenshot()[3, 3]) == other
    browser.requests.pop()  # it was opened twice


def test_key_elements_are_seen(browser: Browser, page: Path) -> None:
    browser.look(1200, 3000, "light")
    browser.open(page)
    seen = browser.screenshot()
    for selector, colour in (("svg .dot.c0", (0, 114, 178)), (".better", (0, 128, 90))):
        box = browser.run(
            f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect();"
            " return [b.left, b.top, b.right, b.bottom].map(Math.round) })()"
        )
        part = seen[box[1] : box[3], box[0] : box[2]].reshape(-1, 3).astype(int)
        assert np.abs(part - colour).sum(axis=1).min() < 30, selector


def test_nothing_is_wider_than_a_phone(browser: Browser, page: Path) -> None:
    browser.look(390, 844, "dark")
    browser.open(page)
    browser.run("document.querySelector('.report .open').click()")
    assert browser.run("document.documentElement.scrollWidth") <= 390
    browser.run(
        "(() => { const s = document.querySelector('.sorter select'); s.value = '1 down';"
        " s.dispatchEvent(new Event('change')) })()"
    )
    assert labels(browser)[0] == "b"


@pytest.mark.parametrize(
    "width, many, plots_first", [(390, "true", True), (390, "false", False), (1280, "true", False)]
)
def test_plots_stand_before_a_long_table_on_a_phone(
    browser: Browser, page: Path, width: int, many: str, plots_first: bool
) -> None:
    browser.look(width, 844, "light")
    browser.open(page)
    browser.run(f"document.querySelector('section').classList.toggle('long', {many})")
    plots, table, folded = browser.run(
        "['.figures', '.scroll', 'details:not(.drawings)'].map(found => document"
        ".querySelector('section > ' + found).getBoundingClientRect().top)"
    )
    assert (plots < table) is plots_first and max(plots, table) < folded


def test_bands_are_seen_in_both_themes(browser: Browser, page: Path) -> None:
    for scheme, colour in (("light", "rgb(0, 114, 178)"), ("dark", "rgb(65, 150, 224)")):
        browser.look(1200, 900, scheme)
        browser.open(page)
        style = "getComputedStyle(document.querySelector('.plot path.band.c0'))"
        assert browser.run(f"{style}.fill") == colour
        assert 0.1 < float(browser.run(f"{style}.fillOpacity")) < 0.3
        assert browser.run(f"{style}.stroke") == "none"
    browser.requests.pop()  # it was opened twice


def test_the_printed_page_is_light_and_a_table(browser: Browser, page: Path) -> None:
    browser.look(794, 1123, "dark")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.call("Emulation.setEmulatedMedia", media="print", features=dark)
    browser.open(page)
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cell = "document.querySelector('.report > tbody > tr > td')"
    assert browser.run(f"getComputedStyle({cell}).display") == "table-cell"


def test_the_index_fits_a_phone_and_leads_to_its_pages(
    browser: Browser, page: Path, make_record: MakeRecord, tmp_path: Path
) -> None:
    """Of a page with two tables, of real and of synthetic faces, each title leads to its own."""
    for kind in ("real", "synthetic"):
        save_record(make_record("baseline", kind=kind, per_kind=40, draws=20), tmp_path)
    finder = Finder.of([tmp_path], cache=False)
    made = [(name, fill_card(load_report(name), finder)) for name in ("table1", "table3")]
    index = page.with_name("index.html")
    index.write_text(render_index("html", made, [("html", ".html"), ("csv", ".csv")], "paper"))
    browser.look(390, 844, "dark")
    browser.open(index)
    assert browser.run("document.documentElement.scrollWidth") <= 390
    links = "[...document.querySelectorAll('.index tbody tr')].map(r => r.querySelector('a')"
    assert browser.run(f"{links}.getAttribute('href'))") == [
        "table3.html#t1", "table1.html", "table3.html#t2",
    ]  # fmt: skip
    third = report_html(made[1][1], "Table 3")
    assert all(f'<section id="t{number}">' in third for number in (1, 2))


def test_a_model_called_script_runs_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert "owned" not in browser.run("document.title")
    assert EVIL in labels(browser)
    assert browser.run("document.scripts.length") == 1


def test_the_policy_allows_the_pages_own_script_only(tmp_path: Path, page: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text(page.read_text().replace("</body>", "<script>window.x = 1</script></body>"))
    with Browser(tmp_path / "profile") as browser:
        browser.open(other)
        assert browser.run("window.x") is None
        assert browser.run("document.getElementById('theme').hidden") is False
        assert any("Content Security Policy" in error for error in browser.errors)
