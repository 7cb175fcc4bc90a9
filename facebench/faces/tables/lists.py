"""The one door to lists of pairs: whatever form a file has, the same pairs come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from facebench.faces.lfw.forms import read_forms
from facebench.faces.lfw.lists import FOLDS, PairList, read_pairs
from facebench.faces.tables.columns import is_table
from facebench.faces.tables.pairs import COLUMNS, read_pair_table


@dataclass(frozen=True)
class Listing:
    """How the pairs of a data set are listed, as a protocol says it.

    file: the list, where it lies with the protocol; name: what it is called where it lies with the
    faces; images: the folder of the images below that of the data; columns: our name of a table's
    column → its name there; folds, seed: of a list without folds; get: how the data are had; parts:
    label → list, of a set whose groups have a list and a folder of images each, the first of which
    is name; part_column: what their labels are called.
    """

    file: Path | None = None
    name: str = ""
    images: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    folds: int = FOLDS
    seed: int = 0
    get: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    part_column: str = ""

    def read(self, path: str | Path) -> PairList:
        """The pairs of a list of any form: a table (CSV, Parquet), LFW's ``pairs.txt``, Kaggle's
        ``pairs.csv``, or one of `facebench.faces.lfw.forms`. UserError names file and line.
        """
        path = Path(path)
        if self.parts and path.as_posix().endswith(f"/{self.name}"):
            root = path.parents[len(PurePosixPath(self.name).parts) - 1]
            return self._joined({label: root / name for label, name in self.parts.items()})
        if is_table(path, *COLUMNS, *(name.lower() for name in self.columns.values())):
            return read_pair_table(path, self.columns, self.folds, self.seed)
        if path.suffix.lower() == ".csv":
            return read_pairs(path)
        return read_forms(path, self.folds) or read_pairs(path)

    def _joined(self, parts: Mapping[str, Path]) -> PairList:
        """The lists of all parts, fold by fold as each has them; images in a folder of the label's
        name, and the label of every pair.
        """
        read = {label: replace(self, parts={}).read(path) for label, path in parts.items()}
        pairs = [
            replace(
                pair, left_key=f"{label}/{pair.left_key}", right_key=f"{label}/{pair.right_key}"
            )
            for label, listed in read.items()
            for pair in listed.pairs
        ]
        labels = tuple(label for label, listed in read.items() for _ in listed.pairs)
        remarks = dict.fromkeys(remark for listed in read.values() for remark in listed.remarks)
        cut = any(listed.cut for listed in read.values())
        return PairList(tuple(pairs), cut, tuple(remarks), {self.part_column: labels})


USUAL = Listing()
