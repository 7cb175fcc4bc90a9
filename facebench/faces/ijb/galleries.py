"""The 1:N lists of IJB-B and IJB-C: two galleries of other people, and one list of probes.

Beside the lists of 1:1 in ``meta/`` (`facebench.faces.ijb.ijbc`), ``ijbc_1N_gallery_G1.csv``,
``ijbc_1N_gallery_G2.csv`` and ``ijbc_1N_probe_mixed.csv`` say which templates are in a gallery or
are searched, and whose they are (IJB-B: ``S1``, ``S2``); a row is a face, and a template may have
several. Its faces are those of ``ijbc_face_tid_mid.txt`` (Whitelam et al. 2017; Maze et al. 2018).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facebench.base.errors import UserError, nearest
from facebench.base.opening import read_csv, wrong_line
from facebench.faces.ijb.ijba import require_searches, whole_number
from facebench.faces.ijb.ijbc import face_list, read_template_faces
from facebench.faces.ijb.templates import TemplateSearch, TemplateSet

NAMES = (("G1", "G2"), ("S1", "S2"))  # of IJB-C's galleries, and of IJB-B's
_TEMPLATE, _SUBJECT = "TEMPLATE_ID", "SUBJECT_ID"
_FIRST = 2  # the line of the first row


def read_galleries(meta: Path, dataset: str) -> tuple[TemplateSearch, ...]:
    """A search a gallery, each of all probes; those whose person is in the other gallery are
    non-mated in this one.

    UserError with file and line: what is absent or malformed, a template that has no face or two
    people, a gallery with two templates of one person (two galleries in one: they are to be
    searched apart), one without mated or without non-mated probes.
    """
    faces = read_template_faces(meta / face_list(dataset))
    probes = _listed(faces, meta / f"{dataset}_1N_probe_mixed.csv")
    found = tuple(
        TemplateSearch(_listed(faces, path), probes) for path in gallery_lists(meta, dataset)
    )
    for search in found:
        require_searches(search)
    return found


def gallery_lists(meta: Path, dataset: str) -> tuple[Path, Path]:
    """The lists of both galleries, in the names that are there; else those of IJB-C."""
    both = [(meta / _file(dataset, one), meta / _file(dataset, two)) for one, two in NAMES]
    return next((pair for pair in both if any(path.is_file() for path in pair)), both[0])


def gallery_name(path: Path) -> str:
    """``G1`` of a gallery's list."""
    return path.stem.rpartition("_")[2]


def _file(dataset: str, gallery: str) -> str:
    return f"{dataset}_1N_gallery_{gallery}.csv"


def _listed(faces: TemplateSet, path: Path) -> TemplateSet:
    """The templates that a list names, with their people."""
    people: dict[int, tuple[int, int]] = {}  # of a template: its subject, and the line that says it
    lines = read_csv(path, "the 1:N list", f"a heading with {_TEMPLATE} and {_SUBJECT}")
    _, header = next(lines)
    columns = _columns(path, header)
    for line, row in lines:
        if len(row) <= max(columns):
            raise wrong_line(path, line, f"{len(row)} fields where the header has {len(header)}")
        template, subject = (
            whole_number(path, line, name, row[column])
            for name, column in zip((_TEMPLATE, _SUBJECT), columns, strict=True)
        )
        before, _ = people.setdefault(template, (subject, line))
        if before != subject:
            raise wrong_line(
                path,
                line,
                f"template {template} is of subject {subject} here and of subject {before} above",
            )
    if not people:
        raise UserError(f"{path} has a header and no row; expected a row for every face")
    ids = np.array(sorted(people), dtype=np.int64)
    for template in ids[~np.isin(ids, faces.ids)].tolist():
        raise wrong_line(
            path,
            people[template][1],
            f"template {template} has no face in {faces.path.name}; complete one of the two lists",
        )
    subjects = np.array([people[template][0] for template in ids.tolist()], dtype=np.int64)
    return faces.chosen(ids, subjects, path)


def _columns(path: Path, header: list[str]) -> list[int]:
    names = [name.strip().upper() for name in header]
    for name in (_TEMPLATE, _SUBJECT):
        if name not in names:
            hint = nearest(name, names)
            there = ", ".join(names)
            raise wrong_line(path, 1, f"the header has no column {name}{hint} ({there:.60})")
    return [names.index(_TEMPLATE), names.index(_SUBJECT)]
