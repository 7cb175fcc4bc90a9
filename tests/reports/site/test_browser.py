"""The site in a real browser: sorting, filtering, two side by side, and that it stays alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from facebench.comparison.compare import compare_records
from facebench.records.files import save_record
from facebench.records.record import Record
from facebench.reports.site.write import write_site
from facebench.tables.paired.comparison import paired_cells
from tests.helpers.chromium import Browser, chromium
from tests.helpers.grouped import toy_records
from tests.helpers.records import drawn_record

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="Chromium is not installed (apt-get install chromium)"
)
EVIL = "<script>document.title='owned'</script>"
AXE = "axe-core@4.11.0"
STRENGTHS = {"a": 3.0, "b": 5.0, "c": 4.0, EVIL: 2.0}


@pytest.fixture(scope="module")
def records() -> dict[str, Record]:
    return {
        name: drawn_record(name, seed=seed, strength=strength, per_kind=40, draws=20)
        for seed, (name, strength) in enumerate(STRENGTHS.items())
    }


@pytest.fixture(scope="module")
def site(records: dict[str, Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    twins = [drawn_record(n, "synthetic", seed=n == "b", per_kind=40, draws=20) for n in "ab"]
    sizes = {"a": 4_000_000, "b": 9_000_000, "c": 2_000_000, EVIL: 1_000_000}
    for record in (*records.values(), *twins, *toy_records(folder, "colour")):
        model = record.model.model_copy(update={"bytes": sizes.get(record.model.id, 1)})
        changed = record.model_copy(update={"model": model})
        save_record(changed.with_table(table) if (table := record.table) else changed, folder / "r")
    write_site([folder / "r"], folder / "site", "ours")
    return folder / "site"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as opened:
        opened.look(1280, 900, "light")
        yield opened
        assert opened.errors == []
        assert all(url.startswith("file:") for url in opened.requests)


TABLE = "document.querySelector('.one-ranking:not([hidden]) table.ranking')"
HEADING = f"{TABLE}.tHead.rows[0].cells"
SAID = "document.getElementById('said').textContent"


def names(browser: Browser) -> list[str]:
    found: list[str] = browser.run(
        f"[...{TABLE}.tBodies[0].rows].filter(row => !row.hidden)"
        ".map(row => row.querySelector('th a').textContent)"
    )
    return found


def choose(browser: Browser, form: str, **values: str) -> None:
    for name, value in values.items():
        browser.run(
            f"(() => {{ const field = document.forms[{json.dumps(form)}][{json.dumps(name)}];"
            f"field.value = {json.dumps(value)};"
            "field.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )


def test_columns_are_sorted_by_click_and_by_key(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    assert names(browser) == ["b", "c", "a", EVIL]
    browser.run(f"{HEADING}[1].querySelector('button').click()")
    assert names(browser) == [EVIL, "a", "b", "c"]
    assert browser.run(f"{HEADING}[1].getAttribute('aria-sort')") == "ascending"
    browser.run(f"{HEADING}[1].querySelector('button').focus()")
    browser.press("Enter")
    assert names(browser) == ["c", "b", "a", EVIL]
    assert browser.run(f"{HEADING}[1].getAttribute('aria-sort')") == "descending"
    assert browser.run(f"{HEADING}[2].getAttribute('aria-sort')") == "none"
    assert "Sorted by model" in browser.run(SAID)
    browser.run(
        f"[...{HEADING}].find(h => h.dataset.words === 'size').querySelector('button').click()"
    )
    assert names(browser) == [EVIL, "c", "a", "b"]  # the smallest first
    browser.run(f"{HEADING}[2].querySelector('button').click()")
    assert names(browser) == ["b", "c", "a", EVIL]  # the best first
    assert len(browser.requests) == 1, "the page asked for something beside itself"


def test_rows_and_rankings_are_filtered(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    shown = "[...document.querySelectorAll('.one-ranking')].filter(s => !s.hidden).length"
    assert browser.run(shown) == 1
    assert (
        browser.run("document.querySelector('.one-ranking:not([hidden])').dataset.kind") == "real"
    )
    choose(browser, "filters", megabytes="4")
    assert names(browser) == ["c", "a", EVIL]
    choose(browser, "filters", name="SCRIPT")
    assert names(browser) == [EVIL]
    assert browser.run(SAID).startswith("1 of 4 records shown, one ranking")
    choose(browser, "filters", megabytes="", name="", kind="synthetic")
    assert sorted(names(browser)) == ["a", "b"]
    assert "rendered" in browser.run(
        "document.querySelector('.one-ranking:not([hidden]) h2').textContent"
    )
    browser.run("document.querySelector('[type=reset]').click()")
    browser.run("new Promise(done => setTimeout(done, 50))")
    assert browser.run(shown) == 3


def test_groups_are_filtered(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    browser.run("document.querySelector('[type=reset]').click()")
    browser.run("new Promise(done => setTimeout(done, 50))")
    rows = "[...document.querySelectorAll('[data-group]')].filter(row => !row.hidden)"
    groups = browser.run(f"{rows}.map(row => row.dataset.group)")
    assert len(set(groups)) > 1
    choose(browser, "filters", group=groups[0])
    assert set(browser.run(f"{rows}.map(row => row.dataset.group)")) == {groups[0]}


def test_two_side_by_side_are_as_compare_prints_them(
    browser: Browser, site: Path, records: dict[str, Record]
) -> None:
    browser.open(site / "compare.html")
    order = browser.run("[...document.forms.two.base.options].map(o => o.textContent)")
    assert order == ["b", "c", "a", EVIL]
    for base, candidate in (("a", "b"), ("b", "a"), ("c", EVIL)):
        at = {"base": str(order.index(base)), "candidate": str(order.index(candidate))}
        choose(browser, "two", **at)
        (expected,) = compare_records(records[base], [records[candidate]])
        rows = browser.run(
            "[...document.querySelectorAll('#tests tbody tr')].map(row => [...row.cells].map("
            "cell => cell.lastChild && cell.lastChild.nodeType === 3 ? cell.lastChild.data : ''))"
        )
        wanted = [[cell.text for cell in paired_cells(p)] for p in expected.statistics]
        for row, cells, paired in zip(rows, wanted, expected.statistics, strict=True):
            detail = paired_cells(paired)[3].detail
            assert row[1].removesuffix(" ‡") == cells[1] and row[2].removesuffix(" ‡") == cells[2]
            assert (row[0], row[3], row[5]) == (cells[0], f"{cells[3]} {detail}", cells[4])
        changed = expected.changed
        assert changed is not None
        said = browser.run("document.getElementById('changed').textContent")
        assert f"{changed.only_a} right only with {base}, {changed.only_b} only with" in said
        assert browser.run(SAID).startswith(f"{candidate} is ")
    browser.run("document.forms.two.swap.click()")
    assert browser.run("document.forms.two.base.value") == str(order.index(EVIL))
    assert browser.run("document.title") != "owned"


def test_a_number_leads_to_its_record_and_a_link_to_its_pair(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    link = browser.run(
        f"{TABLE}.tBodies[0].rows[1].cells[2].querySelector('a').getAttribute('href')"
    )
    browser.open(site / link.partition("#")[0])
    assert browser.run(f"document.getElementById({json.dumps(link.partition('#')[2])}) !== null")
    browser.call("Page.navigate", url=f"{(site / 'compare.html').as_uri()}#ranking-1,2,0")
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.run("[document.forms.two.base.value, document.forms.two.candidate.value]") == [
        "2",
        "0",
    ]


def pages_of(site: Path) -> list[Path]:
    return [site / "index.html", site / "compare.html", site / "models" / "a.html",
            site / "protocols" / "lfw.html"]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_window(browser: Browser, site: Path, width: int) -> None:
    for page in pages_of(site):
        browser.look(width, 844, "light")
        browser.open(page)
        assert browser.run("document.documentElement.scrollWidth - innerWidth") <= 0, page.name
    assert browser.run("matchMedia('(prefers-color-scheme: light)').matches")


def test_it_reads_without_javascript(browser: Browser, site: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    for page in pages_of(site):
        browser.open(page)
        root = browser.call("DOM.getDocument", depth=-1)["root"]
        ids = browser.call(
            "DOM.querySelectorAll", nodeId=root["nodeId"], selector="section[hidden]"
        )
        assert ids["nodeIds"] == [], page.name
        form = browser.call(
            "DOM.querySelectorAll", nodeId=root["nodeId"], selector="form:not([hidden])"
        )
        assert form["nodeIds"] == [], page.name


def test_the_theme_is_chosen_and_kept(browser: Browser, site: Path) -> None:
    browser.open(site / "index.html")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(ground) == "rgb(255, 255, 255)"
    browser.run("document.getElementById('theme').click()")
    assert browser.run(ground) == "rgb(18, 22, 27)"
    browser.open(site / "models" / "a.html")
    assert browser.run("document.documentElement.dataset.theme") == "dark"


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, from npm's registry: it is no part of the repository."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which gets axe-core")
    folder = tmp_path_factory.mktemp("axe")
    line = [npm, "install", "--prefix", str(folder), "--no-save", "--ignore-scripts", AXE]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        pytest.skip(f"npm cannot get {AXE}: {done.stderr.strip()[-200:]}")
    return script.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(
    browser: Browser, site: Path, axe: str, width: int, scheme: str
) -> None:
    for page in pages_of(site):
        browser.look(width, 844, scheme)
        browser.open(page)
        browser.call("Page.setBypassCSP", enabled=True)
        browser.run(f"{axe}; 0")
        found = browser.run(
            "axe.run().then(result => result.violations"
            ".filter(one => ['serious', 'critical'].includes(one.impact))"
            ".map(one => `${one.id}: ${one.nodes.slice(0, 3).map(n => n.html).join(' ')}`))"
        )
        assert found == [], page.name
