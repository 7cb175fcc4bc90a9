"""How a gallery is searched, by name: exactly, or by an approximate index of FAISS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from facebench.base.errors import UserError, nearest

IndexKind = Literal["exact", "flat", "hnsw", "ivf"]
_NAME = re.compile(r"(hnsw|ivf):([1-9][0-9]{0,5})")
_KNOWN = ("exact", "flat", "hnsw:32", "ivf:1024")
_MOST_LINKS = 512


@dataclass(frozen=True)
class GalleryIndex:
    """kind; number: of the links of a face in hnsw, of the lists in ivf, else 0."""

    kind: IndexKind
    number: int = 0

    @property
    def exact(self) -> bool:
        """Whether its results are those of every exact search, to the bit."""
        return self.kind in ("exact", "flat")

    @property
    def name(self) -> str:
        """As users write it."""
        return f"{self.kind}:{self.number}" if self.number else self.kind

    def looks(self, depth: int) -> int:
        """How many faces (hnsw) or lists (ivf) a search of that many faces looks at."""
        return max(128, 2 * depth) if self.kind == "hnsw" else max(1, self.number // 16)

    def recorded(self, depth: int) -> str:
        """``hnsw:32(efSearch=128)``: with all that its results depend on."""
        what = "efSearch" if self.kind == "hnsw" else "nprobe"
        return self.name if self.exact else f"{self.name}({what}={self.looks(depth)})"


def index_of(text: str) -> GalleryIndex:
    """An index by its name. UserError: there is none."""
    found = _NAME.fullmatch(text)
    if text in ("exact", "flat"):
        return GalleryIndex(text)  # type: ignore[arg-type]
    if found is None or (found[1] == "hnsw" and not 2 <= int(found[2]) <= _MOST_LINKS):
        raise UserError(
            f"unknown --index {text!r}{nearest(text, _KNOWN)} (exact; flat: FAISS IndexFlatIP, as "
            f"exact; approximate: hnsw:LINKS of 2 to {_MOST_LINKS}, ivf:LISTS)"
        )
    return GalleryIndex(found[1], int(found[2]))  # type: ignore[arg-type]


def faiss_for(index: str) -> Any:
    """The library. UserError: it is not installed; index: that needs it."""
    try:
        import faiss
    except ImportError:
        raise UserError(
            f"--index {index} is of FAISS, which is not installed; install facebench[faiss], or "
            "leave it out: searches are exact without it, too"
        ) from None
    return faiss
