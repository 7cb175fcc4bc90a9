"""IJB-A's official folders: ten splits of templates to compare, and to search (Klare et al. 2015).

``IJB-A_11_sets/splitN/`` holds ``train_N.csv``, ``verify_metadata_N.csv`` (a row for every face of
every template) and ``verify_comparisons_N.csv`` (two template numbers a line, no header);
``IJB-A_1N_sets/splitN/`` holds ``train_N.csv``, ``search_gallery_N.csv``, ``search_probe_N.csv``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.errors import UserError
from facebench.faces.ijb_csv import faces_of_images, read_face_rows, templates_of
from facebench.faces.number_rows import read_number_rows
from facebench.faces.template_lists import (
    Boxes,
    TemplatePairs,
    TemplateSearch,
    TemplateSet,
    refuse_self_comparison,
)

VERIFICATION, SEARCH = "IJB-A_11_sets", "IJB-A_1N_sets"


@dataclass(frozen=True, eq=False)
class IjbaVerification:
    """The splits of the 1:1 protocol; boxes: of every face, x, y, width, height in its image."""

    splits: tuple[TemplatePairs, ...]
    boxes: Boxes


@dataclass(frozen=True, eq=False)
class IjbaSearch:
    """The splits of the 1:N protocol, each with a gallery of its own; boxes: of every face."""

    splits: tuple[TemplateSearch, ...]
    boxes: Boxes


def read_ijba_verification(folder: Path, splits: int) -> IjbaVerification:
    """The lists of ``IJB-A_11_sets``: metadata and comparisons of splits 1 to ``splits``.

    UserError with file and line: what is absent or malformed, a comparison of a template that the
    metadata do not have, a template compared with itself, a split with comparisons of one kind.
    What stands twice counts as listed: `facebench.faces.list_remarks` tells how much that is.
    """
    folders = _split_folders(folder, VERIFICATION, splits)
    lists = [read_face_rows(path / f"verify_metadata_{n}.csv") for n, path in folders.items()]
    boxes: Boxes = {}
    faces = faces_of_images(lists)
    found = []
    for rows, (number, path) in zip(lists, folders.items(), strict=True):
        templates = templates_of(rows, boxes, faces)
        found.append(_comparisons(templates, path / f"verify_comparisons_{number}.csv"))
    return IjbaVerification(tuple(found), boxes)


def read_ijba_search(folder: Path, splits: int) -> IjbaSearch:
    """The lists of ``IJB-A_1N_sets``: gallery and probes of splits 1 to ``splits``.

    UserError with file and line: what is absent or malformed, a gallery with two templates of one
    person (two galleries in one: they are to be searched apart), a split without mated or without
    non-mated probes.
    """
    folders = _split_folders(folder, SEARCH, splits)
    names = ("search_gallery", "search_probe")
    lists = [read_face_rows(path / f"{s}_{n}.csv") for n, path in folders.items() for s in names]
    boxes: Boxes = {}
    faces = faces_of_images(lists)
    sets = [templates_of(rows, boxes, faces) for rows in lists]
    found = [TemplateSearch(*pair) for pair in zip(sets[::2], sets[1::2], strict=True)]
    for search in found:
        _check_search(search)
    return IjbaSearch(tuple(found), boxes)


def has_ijba_lists(folder: Path, sets: str) -> bool:
    """Whether a folder holds ``sets`` (one of the two), with a first split."""
    return (folder / sets / "split1").is_dir()


def _split_folders(folder: Path, sets: str, splits: int) -> dict[int, Path]:
    found = {number: folder / sets / f"split{number}" for number in range(1, splits + 1)}
    for path in found.values():
        if not path.is_dir():
            raise UserError(
                f"there is no folder {path}; --data must hold {sets}/split1 to split{splits}"
            )
    return found


def _comparisons(templates: TemplateSet, path: Path) -> TemplatePairs:
    pairs = read_number_rows(path, 2, "two template numbers")
    left, right = (templates.positions(side, path) for side in pairs.T)
    refuse_self_comparison(path, left, right)
    assert templates.subjects is not None
    mated = templates.subjects[left] == templates.subjects[right]
    if mated.all() or not mated.any():
        kind = "mated" if mated.all() else "non-mated"
        raise UserError(f"{path}: all {len(mated)} comparisons are {kind}; both kinds are needed")
    return TemplatePairs(templates, left, right, np.asarray(mated))


def _check_search(search: TemplateSearch) -> None:
    people, probes = search.gallery.subjects, search.probes.subjects
    assert people is not None and probes is not None
    numbers, counts = np.unique(people, return_counts=True)
    if (counts > 1).any():
        raise UserError(
            f"{search.gallery.path}: subject {numbers[counts > 1][0]} has {counts.max()} templates "
            "in the gallery; two galleries are searched apart, never merged"
        )
    mated = np.isin(probes, people)
    if mated.all() or not mated.any():
        whose = "every probe's person is" if mated.all() else "no probe's person is"
        raise UserError(
            f"{search.probes.path}: {whose} in {search.gallery.path.name}; both kinds are needed"
        )
