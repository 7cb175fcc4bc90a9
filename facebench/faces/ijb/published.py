"""Are lists in IJB-A's layout IJB-A's own?

The counts are those of the official lists, split by split (Klare et al. 2015), and the fingerprints
are of all that records say of them: faces, templates, media, people, comparisons. An edition that
names the same in another order has the counts alone, so that nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from facebench.faces.ijb.templates import TemplatePairs, TemplateSearch

# Comparisons and mated ones; templates of the gallery, one a person, and of the probes.
COMPARISONS = (
    *((11_787, 1_803), (11_779, 1_779), (11_701, 1_722), (11_779, 1_797), (11_744, 1_754)),
    *((11_648, 1_648), (11_652, 1_652), (11_869, 1_874), (11_772, 1_780), (11_752, 1_752)),
)
SEARCHES = (
    *((112, 1_803), (113, 1_797), (112, 1_729), (112, 1_805), (112, 1_765)),
    *((113, 1_656), (112, 1_652), (112, 1_882), (112, 1_787), (112, 1_752)),
)
SPLITS = len(COMPARISONS)
# Of the 1:N lists of IJB-B and IJB-C: people of both galleries, and probes (Whitelam et al. 2017,
# Section 4; Maze et al. 2018, Section 4).
GALLERIES = MappingProxyType({"ijbb": ((931, 914), 10_270), "ijbc": ((1_772, 1_759), 19_593)})
VERIFICATION_FINGERPRINT, SEARCH_FINGERPRINT = "d176f661db388e0b", "a7f8d7b82007c78f"


def verification_fault(splits: Sequence[TemplatePairs]) -> str | None:
    """Why these are not the published comparisons, or None: their counts are the same."""
    for number, (split, expected) in enumerate(zip(splits, COMPARISONS, strict=False), 1):
        if (found := (len(split), int(split.mated.sum()))) != expected:
            return f"split {number} has {_mated(*found)}, the published one {_mated(*expected)}"
    return _wrong_number(splits)


def search_fault(splits: Sequence[TemplateSearch]) -> str | None:
    """Why these are not the published searches, or None: their counts are the same."""
    for number, (split, expected) in enumerate(zip(splits, SEARCHES, strict=False), 1):
        if (found := (len(split.gallery), len(split.probes))) != expected:
            return f"split {number} has {_probes(*found)}, the published one {_probes(*expected)}"
    return _wrong_number(splits)


def galleries_fault(dataset: str, searches: Sequence[TemplateSearch]) -> str | None:
    """Why these are not the published galleries and probes, or None: their counts are the same, or
    none are known of such data.
    """
    if dataset not in GALLERIES:
        return None
    people, probes = GALLERIES[dataset]
    found = tuple(len(search.gallery) for search in searches)
    if (found, len(searches[0].probes)) == (people, probes):
        return None
    return (
        f"{_both(found)} people in the galleries and {len(searches[0].probes):,} probes, published "
        f"are {_both(people)} and {probes:,}"
    )


def _both(people: Sequence[int]) -> str:
    return " and ".join(f"{number:,}" for number in people)


def _mated(comparisons: int, mated: int) -> str:
    return f"{comparisons:,} comparisons ({mated:,} mated)"


def _probes(people: int, probes: int) -> str:
    return f"{probes:,} probes and {people:,} people in its gallery"


def _wrong_number(splits: Sequence[TemplatePairs] | Sequence[TemplateSearch]) -> str | None:
    return None if len(splits) == SPLITS else f"{len(splits)} splits, {SPLITS} are published"
