"""The index of a group of reports: every table, how much of it is measured, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facebench.base.version import __version__
from facebench.reports.cells import FilledCard
from facebench.reports.missing import missing_markdown, not_yet, orders_of
from facebench.reports.verdict.card import card_verdict
from facebench.reports.verdict.group import group_verdict
from facebench.tables.html import page
from facebench.tables.markdown import line, plain, verdict_lines

_FACE_ORDER = {"photographs": 0, "none needed": 1, "synthetic (rendered)": 2}
_FACES = {"real": "photographs", "synthetic": "synthetic (rendered)", None: "none needed"}


@dataclass(frozen=True)
class IndexLine:
    """One table. page: the file that its title leads to, or empty; files: (format, file).

    measured, missing: its cells with a value, and those that should have one; what the paper alone
    gives is neither. ready: of the missing, how many a command makes. here, paper, same: what the
    table comes to, what the paper says of that, and whether both agree.
    """

    title: str
    table: str
    source: str
    faces: str
    measured: int
    missing: int
    ready: int
    page: str
    files: tuple[tuple[str, str], ...]
    here: str = ""
    paper: str = ""
    same: str = ""

    @property
    def cells(self) -> int:
        """Cells that are measured or should be."""
        return self.measured + self.missing

    @property
    def missing_text(self) -> str:
        """How the missing ones come to be, or nothing."""
        if not self.missing or self.ready == self.missing:
            return "by the commands below" if self.missing else ""
        return f"{self.ready} by the commands below" if self.ready else "no command makes them yet"


def index_lines(
    reports: Sequence[tuple[str, Sequence[FilledCard]]], formats: Sequence[tuple[str, str]]
) -> list[IndexLine]:
    """A line per table. reports: (card's name, it filled); formats: (name, ending) of the files
    that were written, the one that titles lead to first.
    """
    lines = []
    for name, filled in reports:
        for number, card in enumerate(filled, start=1):
            files = tuple((format, f"{name}{ending}") for format, ending in formats)
            leads_to = files[0][1] if files else ""
            if leads_to.endswith(".html") and len(filled) > 1:
                leads_to = f"{leads_to}#t{number}"
            lines.append(_line(card, leads_to, files))
    # What was measured on photographs comes first, what lacks records last.
    return sorted(lines, key=lambda one: (_FACE_ORDER[one.faces], not one.measured))


def _line(filled: FilledCard, leads_to: str, files: tuple[tuple[str, str], ...]) -> IndexLine:
    measured = sum(cell.value is not None for row in filled.rows for cell in row.cells)
    missing = sum(bool(cell.missing) for row in filled.rows for cell in row.cells)
    rows = {row.row.label for row in filled.rows}
    verdict = card_verdict(filled)
    return IndexLine(
        title=filled.title,
        table=filled.card.source.table if filled.card.source else "",
        source=filled.card.source.paper if filled.card.source else "",
        faces=_FACES[filled.kind],
        measured=measured,
        missing=missing,
        # A mean over an ensemble's members lacks several records, and is one cell.
        ready=min(missing, sum(gap.ready and gap.row.label in rows for gap in filled.missing)),
        page=leads_to,
        files=files,
        here=next(iter(verdict.sentences), ""),
        paper=verdict.paper,
        same=verdict.same,
    )


def summary_of(lines: Sequence[IndexLine]) -> str:
    """All tables in one sentence; synthetic faces apart, since they are no result of a paper."""
    parts = []
    for what, wanted in (("", False), (" of synthetic faces", True)):
        chosen = [line for line in lines if line.faces.startswith("synthetic") == wanted]
        if not chosen:
            continue
        measured, cells = sum(line.measured for line in chosen), sum(line.cells for line in chosen)
        tables = f"{len(chosen)} table{'s' if len(chosen) > 1 else ''}{what}"
        parts.append(f"{tables}: {measured:,} of {cells:,} cells are measured")
    return f"{'; '.join(parts)}."


def sources_of(lines: Sequence[IndexLine]) -> list[str]:
    """The papers, each once."""
    return list(dict.fromkeys(line.source for line in lines if line.source))


def index_html(
    lines: Sequence[IndexLine], filled: Sequence[FilledCard], title: str, data: str | None = None
) -> str:
    """The page; data: the --data of the commands for real faces."""
    return page(
        "index.html",
        lines=lines,
        title=title,
        sentences=group_verdict(filled),
        sources=sources_of(lines),
        summary=summary_of(lines),
        orders=orders_of(filled, data),
        not_yet=not_yet(filled),
    )


def index_markdown(
    lines: Sequence[IndexLine], filled: Sequence[FilledCard], title: str, data: str | None = None
) -> str:
    """The same as Markdown, as a folder's README."""
    text = [f"# {plain(title)}", ""]
    text += verdict_lines(group_verdict(filled))
    text += [line(["table", "here", "the paper", "same?", "faces", "measured", "files"])]
    text += [line([":---", ":---", ":---", ":---", ":---", ":---", ":---"])]
    text += map(_markdown, lines)
    text += ["", f"{summary_of(lines)} Made by facebench {__version__}."]
    text += [f"{plain(source)}." for source in sources_of(lines)]
    text += missing_markdown(filled, data)
    return "\n".join(text) + "\n"


def _markdown(one: IndexLine) -> str:
    link = f"[{plain(one.title)}]({one.page})" if one.page else plain(one.title)
    table = f"<br><sub>{plain(one.table)}</sub>" if one.table else ""
    files = " ".join(f"[{name}]({file})" for name, file in one.files)
    missing = f"; {plain(one.missing_text)}" if one.missing else ""
    measured = f"{one.measured} of {one.cells}{missing}"
    told = map(plain, (one.here, one.paper, one.same, one.faces))
    return line([f"{link}{table}", *told, measured, files])
