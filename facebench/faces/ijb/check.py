"""Do the folders of IJB-A, IJB-B and IJB-C hold what their protocols read?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from facebench.base.errors import UserError
from facebench.faces.ijb.galleries import gallery_lists, read_galleries
from facebench.faces.ijb.ijba import SEARCH, VERIFICATION, read_ijba_search, read_ijba_verification
from facebench.faces.ijb.ijbc import IMAGES, meta_folder, read_face_points, read_ijbc
from facebench.faces.ijb.images import TemplateFaces, absent_folder
from facebench.faces.ijb.published import (
    SPLITS,
    galleries_fault,
    search_fault,
    verification_fault,
)
from facebench.faces.ijb.templates import TemplateSet
from facebench.faces.lfw.lists import some
from facebench.faces.types import Check

COMPARISONS = MappingProxyType({"ijbb": 8_010_270, "ijbc": 15_658_489})
_LISTS = MappingProxyType(
    {
        VERIFICATION: ("train", "verify_metadata", "verify_comparisons"),
        SEARCH: ("train", "search_gallery", "search_probe"),
    }
)


def check_ijba(folder: Path) -> Iterator[Check]:
    """The lists of all splits, read as the protocols read them, and the images they name."""
    sets: list[TemplateSet] = []
    for name, parts in _LISTS.items():
        absent = [
            f"split{n}/{part}_{n}.csv"
            for n in range(1, SPLITS + 1)
            for part in parts
            if not (folder / name / f"split{n}" / f"{part}_{n}.csv").is_file()
        ]
        yield not absent, f"{name}: absent lists: {_some(absent)}"
        if absent:
            continue
        try:
            if name == VERIFICATION:
                pairs = read_ijba_verification(folder, SPLITS).splits
                sets += [split.templates for split in pairs]
                fault = verification_fault(pairs)
                text = f"{name}: {sum(map(len, pairs)):,} comparisons in {SPLITS} splits"
            else:
                found = read_ijba_search(folder, SPLITS).splits
                sets += [part for split in found for part in (split.gallery, split.probes)]
                probes = sum(len(split.probes) for split in found)
                fault = search_fault(found)
                text = f"{name}: {probes:,} probes in {SPLITS} splits"
            told = "" if fault is None else f"; NOT THE PUBLISHED LIST: {fault}"
            yield fault is None, f"{text}{told}"
        except UserError as error:
            yield False, str(error)
    root = folder / "images" if (folder / "images").is_dir() else folder
    yield _images("ijba", folder, root, sets)


def check_ijbc(folder: Path, dataset: str) -> Iterator[Check]:
    """The lists of ``ijbb`` or ``ijbc``, and the images they name."""
    meta = meta_folder(folder, dataset)
    if meta is None:
        yield False, f"there is no meta/{dataset}_face_tid_mid.txt"
        return
    try:
        pairs = read_ijbc(meta, dataset)
    except UserError as error:
        yield False, str(error)
        return
    whole, count = len(pairs) == COMPARISONS[dataset], len(pairs.templates)
    expected = "" if whole else f" (published: {COMPARISONS[dataset]:,})"
    yield whole, f"{len(pairs):,} comparisons of {count:,} templates{expected}"
    try:
        points = read_face_points(meta / f"{dataset}_name_5pts_score.txt")
    except UserError as error:
        yield False, str(error)
    else:
        without = [key for key in pairs.templates.keys if points and key not in points.scores]
        if points is None:
            yield False, f"landmarks: there is no {dataset}_name_5pts_score.txt"
        else:
            yield not without, f"faces without landmarks: {_some(without)}"
    yield _galleries(meta, dataset)
    yield _images(dataset, meta.parent, meta.parent / IMAGES, [pairs.templates])


def _galleries(meta: Path, dataset: str) -> Check:
    lists = gallery_lists(meta, dataset)
    if not any(path.is_file() for path in lists):
        return True, f"1:N: there is no {lists[0].name}; only 1:1 can be evaluated"
    try:
        searches = read_galleries(meta, dataset)
    except UserError as error:
        return False, f"1:N: {error}"
    fault = galleries_fault(dataset, searches)
    told = "" if fault is None else f"; NOT THE PUBLISHED LIST: {fault}"
    return fault is None, f"1:N: {len(searches[0].probes):,} probes, two galleries{told}"


def _images(dataset: str, folder: Path, root: Path, sets: Sequence[TemplateSet]) -> Check:
    keys = sorted(set().union(*(templates.keys for templates in sets)))
    if keys and (absent_root := absent_folder(root, folder, keys)):
        return False, f"{len(keys):,} faces named, and there is no folder {absent_root}"
    absent = TemplateFaces(dataset, root, keys).missing(keys)
    return bool(keys) and not absent, f"{len(keys):,} faces named, without image: {_some(absent)}"


def _some(names: Sequence[str]) -> str:
    return some(names) if names else "none"
