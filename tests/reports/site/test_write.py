"""A site on disk: whole or not at all, every name text, every link there."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from facebench.base.errors import UserError
from facebench.base.vocabulary import SITE_MARK
from facebench.cli.app import main
from facebench.protocols.cards import CARD_CLASSES
from facebench.records.files import read_record, save_record
from facebench.records.record import Record
from facebench.reports.site.words import _TRAPS
from facebench.reports.site.write import write_site
from tests.helpers.grouped import toy_records
from tests.helpers.records import drawn_record

EVIL = "<script>document.title='owned'</script>"


def records_of(folder: Path) -> Path:
    """Records of photographs and of rendered faces, one with a name that is markup."""
    made = [
        *(drawn_record(n, seed=s, strength=x, per_kind=20) for n, s, x in
          (("a", 0, 3.0), ("A", 1, 4.0), (EVIL, 2, 2.0))),
        drawn_record("a", "synthetic", seed=4, per_kind=20),
    ]  # fmt: skip
    for record in made:
        save_record(record, folder)
    return folder


class Links(HTMLParser):
    """Addresses, names of parts, and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.parts: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.append(value or "")
            if name == "id":
                self.parts.append(value or "")


def parsed(folder: Path) -> dict[Path, Links]:
    return {path.resolve(): Links(path.read_text("utf-8")) for path in folder.rglob("*.html")}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site([records_of(folder / "records")], folder / "site", f"ours {EVIL}")
    return folder / "site"


def test_every_link_leads_to_a_file_and_a_part_of_it(made: Path) -> None:
    pages = parsed(made)
    assert len(pages) == 2 + 3 + 1
    for path, page in pages.items():
        assert len(page.parts) == len(set(page.parts)), f"{path.name}: a part's name comes twice"
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme and not parts.netloc, link
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target.name != "compare.html":  # there it names two models
                assert unquote(parts.fragment) in pages[target].parts, f"{path.name}: {link}"


def test_names_are_text(made: Path) -> None:
    for path, page in parsed(made).items():
        # The page's own script, and the data of its pairs.
        assert page.tags.count("script") == 1 + (path.name == "compare.html"), path.name
        text = path.read_text("utf-8")
        assert "<script>document" not in text and "default-src &#39;none&#39;" in text


def test_names_that_differ_in_case_have_pages_of_their_own(made: Path) -> None:
    names = [path.name.casefold() for path in (made / "models").iterdir()]
    assert len(names) == len(set(names)) == 3


def test_records_are_copied_byte_for_byte_with_scores(made: Path) -> None:
    mark = json.loads((made / SITE_MARK).read_text())
    assert len(mark["records"]) == 4
    for name in mark["records"]:
        record = read_record(made / name)
        assert record.table is not None
        source = made.parent / name
        assert source.read_bytes() == (made / name).read_bytes()


def test_photographs_and_rendered_faces_are_ranked_apart(made: Path) -> None:
    text = (made / "index.html").read_text("utf-8")
    sections = text.split('<section class="one-ranking"')[1:]
    assert ["photographs" in one.split("</h2>")[0] for one in sections] == [True, False]
    assert "NOTICE" in sections[1] and "NOTICE" not in sections[0].split("<section")[0]


def test_without_scores(tmp_path: Path) -> None:
    records = records_of(tmp_path / "records")
    write_site([records], tmp_path / "site", "ours", scores=False)
    assert not list((tmp_path / "site").rglob("*.safetensors"))


def test_groups_have_a_table(tmp_path: Path) -> None:
    saved = [save_record(one, tmp_path / "records") for one in toy_records(tmp_path, "colour")]
    assert len(saved) == 2
    write_site([tmp_path / "records"], tmp_path / "site", "ours")
    text = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert 'name="group"' in text and text.count("data-group=") >= 4


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["site", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = records_of(tmp_path / "records")
    code, out, err = run(capsys, records, "-o", tmp_path / "site")
    assert (code, out) == (0, "3 models, 4 records, 2 rankings\n")
    assert f"site: {tmp_path / 'site' / 'index.html'}" in err
    before = (tmp_path / "site" / "index.html").read_text()
    assert run(capsys, records, "-o", tmp_path / "site", "--title", "other")[0] == 0
    assert "<title>other</title>" in (tmp_path / "site" / "index.html").read_text() != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records", "site"]


def broken(folder: Path) -> Path:
    """A folder of records of which one was changed by hand."""
    records_of(folder)
    path = sorted(folder.rglob("*.json"))[0]
    path.write_text(path.read_text().replace('"total": 400', '"total": 401'))
    return folder


@pytest.mark.parametrize("what", ["nothing", "empty", "broken", "foreign"])
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, site = tmp_path / "records", tmp_path / "site"
    if what == "empty":
        records.mkdir()
    if what == "broken":
        broken(records)
    if what == "foreign":
        records_of(records)
        site.mkdir()
        (site / "thesis.tex").write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(capsys, records, "-o", site)
    assert code == 2 and out == "" and len(err.splitlines()) == 1, err
    said = {"nothing": "no such file", "empty": "holds no record", "foreign": "holds other files"}
    assert said.get(what, str(records)) in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_the_site_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_of(tmp_path / "records")
    write_site([records], tmp_path / "site", "first")
    before = (tmp_path / "site" / "index.html").read_bytes()

    def full(record: Record, path: Path) -> dict[Path, bytes]:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("facebench.reports.site.write.table_files", full)
    with pytest.raises(OSError, match="No space"):
        write_site([records], tmp_path / "site", "second")
    assert (tmp_path / "site" / "index.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["records", "site"]


def test_the_working_directory_is_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = records_of(tmp_path / "records")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="working directory"):
        write_site([records], Path("."), "ours")


def test_every_kind_of_protocol_has_its_traps() -> None:
    assert set(_TRAPS) == set(CARD_CLASSES)
