"""The one door to lists of pairs: whatever form a file has, the same pairs come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from facebench.faces.lfw.forms import read_forms
from facebench.faces.lfw.lists import FOLDS, PairList, read_pairs
from facebench.faces.tables.columns import is_table
from facebench.faces.tables.pairs import COLUMNS, read_pair_table


@dataclass(frozen=True)
class Listing:
    """How the pairs of a data set are listed, as a protocol says it.

    file: the list, where it lies with the protocol; name: what it is called where it lies with the
    faces; images: the folder of the images below that of the data; columns: our name of a table's
    column → its name there; folds, seed: of a list without folds; get: how the data are had.
    """

    file: Path | None = None
    name: str = ""
    images: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    folds: int = FOLDS
    seed: int = 0
    get: str = ""

    def read(self, path: str | Path) -> PairList:
        """The pairs of a list of any form: a table (CSV, Parquet), LFW's ``pairs.txt``, Kaggle's
        ``pairs.csv``, or one of `facebench.faces.lfw.forms`. UserError names file and line.
        """
        path = Path(path)
        if is_table(path, *COLUMNS, *(name.lower() for name in self.columns.values())):
            return read_pair_table(path, self.columns, self.folds, self.seed)
        if path.suffix.lower() == ".csv":
            return read_pairs(path)
        return read_forms(path, self.folds) or read_pairs(path)


USUAL = Listing()
