"""A table of people or images, CSV or Parquet: ``subject`` or ``image``, and columns of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.faces.images import without_ending
from facebench.faces.tables.columns import TextTable, read_columns

SUBJECT, IMAGE = "subject", "image"
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class LabelTable:
    """table: as it was read; by: ``subject`` or ``image``, what a row is of."""

    table: TextTable
    by: str

    @classmethod
    def read(cls, path: Path) -> LabelTable:
        """UserError: no such table, neither column, or both."""
        table = read_columns(path)
        there = [name for name in (SUBJECT, IMAGE) if name in table]
        if len(there) != 1:
            has = "both" if there else f"neither (it has {', '.join(table.columns)})"
            raise UserError(
                f"{path}: a table of groups has a column subject or a column image, and columns of "
                f"groups; this one has {has}"
            )
        return cls(table, there[0])

    @property
    def columns(self) -> list[str]:
        """Those that may be groups."""
        return [name for name in self.table.columns if name != self.by]

    def labels(self, column: str, names: Sequence[str]) -> list[str]:
        """The label of each name (of a person or an image), empty where its cell is.

        Images are found by their names, then by these without ending. UserError: a name in no row,
        or in two rows with different labels.
        """
        known = self._known(column, shortened=False)
        found = [known.get(name) for name in names]
        if self.by == IMAGE and None in found:
            short = self._known(column, shortened=True)
            found = [
                short.get(without_ending(name)) if label is None else label
                for name, label in zip(names, found, strict=True)
            ]
        absent = sorted({n for n, label in zip(names, found, strict=True) if label is None})
        if absent:
            more = ", …" if len(absent) > _SHOWN else ""
            what = "person" if self.by == SUBJECT else "image"
            raise UserError(
                f"{self.table.path}: {len(absent):,} of {len(set(names)):,} "
                f"{'people' if self.by == SUBJECT else 'images'} are in no row "
                f"({', '.join(absent[:_SHOWN])}{more}); give every {what} a row, with an empty "
                "cell where the group is not known"
            )
        return [label or "" for label in found]

    def _known(self, column: str, *, shortened: bool) -> dict[str, str]:
        seen: dict[str, tuple[str, int]] = {}
        names, labels = self.table.filled(self.by), self.table.columns[column]
        for row, (name, label) in enumerate(zip(names, labels, strict=True)):
            key = without_ending(name) if shortened else name
            before, first = seen.setdefault(key, (label, row))
            if before != label:
                where = f"{self.table.counted} {self.table.lines[first]}"
                raise self.table.wrong(
                    row, f"{name} is {label or 'empty'!r} here and {before or 'empty'!r} in {where}"
                )
        return {key: label for key, (label, _) in seen.items()}
