"""What is unusual about a list and counts as listed: records say it, and nothing is refused.

Published lists are the truth, so what they hold is never an error: IJB-A's official lists name
frames of one template twice. In a list of one's own the same may be a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from facebench.faces.ijb.templates import TemplatePairs, TemplateSearch, TemplateSet
from facebench.faces.lfw.lists import PairList
from facebench.faces.ytf.lists import VideoPairs


def pair_remarks(pairs: PairList | VideoPairs) -> tuple[str, ...]:
    """Of comparisons that stand twice, in either order, of people in several folds, of a list of
    one fold, and of how it was read.
    """
    cut, read = "", tuple[str, ...]()
    if isinstance(pairs, PairList):
        rows = [
            (p.left_key, p.right_key, p.left_person, p.right_person, p.fold) for p in pairs.pairs
        ]
        read = pairs.remarks
        if pairs.cut:
            cut = (
                f"the list has one fold; its pairs were cut in their order into {pairs.folds}, so "
                "that a threshold is never chosen on the pairs that it is tested on"
            )
    else:
        rows = [(p.left, p.right, p.left_person, p.right_person, p.fold) for p in pairs.pairs]
    seen: set[tuple[str, str]] = set()
    again = turned = 0
    folds: dict[str, set[int]] = {}
    for left, right, first, second, fold in rows:
        if (left, right) in seen or (right, left) in seen:
            again += 1
            turned += (left, right) not in seen
        seen.add((left, right))
        for person in (first, second):
            folds.setdefault(person, set()).add(fold)
    several = sum(len(found) > 1 for found in folds.values())
    people = _in_several_folds(several, len(folds))
    return tuple(_said(_repeated(again, turned, len(rows)), cut, *read, people))


def template_remarks(splits: Sequence[TemplatePairs]) -> tuple[str, ...]:
    """Of faces that one template names twice, and of comparisons that stand twice."""
    again = turned = 0
    for split in splits:
        either, ordered = _repetitions(split)
        again, turned = again + either, turned + either - ordered
    total = sum(map(len, splits))
    faces = _faces_named_twice([split.templates for split in splits])
    return tuple(_said(faces, _repeated(again, turned, total)))


def search_remarks(splits: Sequence[TemplateSearch]) -> tuple[str, ...]:
    """Of faces that one template names twice."""
    sets = [part for split in splits for part in (split.gallery, split.probes)]
    return tuple(_said(_faces_named_twice(sets)))


def _said(*lines: str) -> Iterable[str]:
    return (line for line in lines if line)


def _repeated(again: int, turned: int, total: int) -> str:
    if not again:
        return ""
    order = f", {turned:,} of them in the other order" if turned else ""
    return (
        f"the list names {again:,} of its {total:,} comparisons more than once{order}; every row "
        "counts as listed"
    )


def _in_several_folds(several: int, people: int) -> str:
    if not several:
        return ""
    return (
        f"the list puts {several:,} of its {people:,} people in more than one fold, so that folds "
        "are not tested on people that are new to them"
    )


def _faces_named_twice(sets: Sequence[TemplateSet]) -> str:
    again, example = 0, ""
    for templates in sets:
        identity = templates.row_template * len(templates.keys) + templates.row_face
        values, counts = np.unique(identity, return_counts=True)
        more = counts > 1
        again += int((counts[more] - 1).sum())
        if more.any() and not example:
            template, face = divmod(int(values[more][0]), len(templates.keys))
            example = f"{templates.keys[face]} of template {templates.ids[template]}"
    if not again:
        return ""
    return (
        f"the lists name {again:,} faces that their template names already (the first is "
        f"{example}); every row counts as listed"
    )


def _repetitions(split: TemplatePairs) -> tuple[int, int]:
    """Rows whose comparison stood above: in either order, and in the same order."""
    low, high = np.minimum(split.left, split.right), np.maximum(split.left, split.right)
    either = _stood_above(low, high, len(split.templates))
    return either, _stood_above(split.left, split.right, len(split.templates)) if either else 0


def _stood_above(left: NDArray[np.int32], right: NDArray[np.int32], templates: int) -> int:
    ordered = np.sort(left.astype(np.int64) * templates + right)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))
