"""Do lists in IJB-A's layout have the size of IJB-A's own?

How many comparisons each published split has cannot be looked up here with certainty, so nothing
below confirms a list: it only tells apart what cannot be the published one. The bounds are generous
about what is known: 10 splits, about 11,700 comparisons in each of which 1,650 to 1,870 are mated,
and galleries of 112 people, the 167 of a test set less 55 (Klare et al. 2015).
"""

from __future__ import annotations

from collections.abc import Sequence

from facebench.faces.template_lists import TemplatePairs, TemplateSearch

SPLITS = 10
COMPARISONS, MATED, GALLERY = (11_000, 12_500), (1_500, 2_000), (105, 120)
_ABOUT = "the published splits have"


def verification_fault(splits: Sequence[TemplatePairs]) -> str | None:
    """Why these are not the published comparisons, or None: that cannot be told."""
    for number, split in enumerate(splits, 1):
        if _outside(len(split), COMPARISONS):
            return f"split {number} has {len(split):,} comparisons, {_ABOUT} about 11,700"
        if _outside(mated := int(split.mated.sum()), MATED):
            return f"split {number} has {mated:,} mated comparisons, {_ABOUT} 1,650 to 1,870"
    return _wrong_number(splits)


def search_fault(splits: Sequence[TemplateSearch]) -> str | None:
    """Why these are not the published searches, or None: that cannot be told."""
    for number, split in enumerate(splits, 1):
        if _outside(people := len(split.gallery), GALLERY):
            return f"the gallery of split {number} has {people:,} people, {_ABOUT} 112"
    return _wrong_number(splits)


def _outside(count: int, bounds: tuple[int, int]) -> bool:
    return not bounds[0] <= count <= bounds[1]


def _wrong_number(splits: Sequence[TemplatePairs] | Sequence[TemplateSearch]) -> str | None:
    return None if len(splits) == SPLITS else f"{len(splits)} splits, {SPLITS} are published"
