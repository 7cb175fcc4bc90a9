"""Labels of a protocol's comparisons, by the names of their columns, wherever these are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facebench.base.errors import UserError, nearest
from facebench.faces.lfw.lists import PairList
from facebench.faces.lfw.rendered import SyntheticSource
from facebench.faces.twins.groups import TWIN_GROUPS, twin_labels, twin_seed
from facebench.faces.types import FaceSource
from facebench.protocols.beside import file_beside
from facebench.protocols.cards import VerificationCard
from facebench.protocols.groups.named import SIDES, NamedLabels
from facebench.protocols.groups.tables import SUBJECT, LabelTable
from facebench.protocols.outcome import Comparisons
from facebench.protocols.settings import Settings
from facebench.statistics.checks import IntArray
from facebench.statistics.groups.labels import GroupLabels, Of

MOST_GROUPS = 50


def labels_of(
    card: VerificationCard,
    settings: Settings,
    pairs: PairList,
    comparisons: Comparisons,
    source: FaceSource | None = None,
    folder: Path | None = None,
) -> tuple[NamedLabels, ...]:
    """The labels of all columns that the settings, or else the card, name.

    folder: of the data, where a card's table may lie. UserError in one line: a column that is not
    there, a person or image in two groups or in no row, one group, or more than 50.
    """
    wanted = [column.lower() for column in settings.groups or card.groups]
    table = _table(card, settings, folder)
    if settings.group_table is not None and table is not None and not wanted:
        raise UserError(
            f"--group-table {settings.group_table}: name its columns with --groups (it has "
            f"{', '.join(table.columns)})"
        )
    finders = _Finders(card, pairs, comparisons, table, source)
    found = tuple(NamedLabels(name, finders.find(name)) for name in dict.fromkeys(wanted))
    for one in found:
        _require_groups(card, one)
    return found


def _table(card: VerificationCard, settings: Settings, folder: Path | None) -> LabelTable | None:
    if settings.group_table is not None:
        return LabelTable.read(Path(settings.group_table))
    if not card.group_table:
        return None
    beside = file_beside(card, "group_table", card.group_table)
    if beside is None and folder is not None and (folder / card.group_table).is_file():
        beside = folder / card.group_table
    if beside is None:
        raise UserError(
            f"protocol {card.name}: its table of groups, {card.group_table}, lies neither with its "
            "card nor with the faces; put it there, or name it with --group-table"
        )
    return LabelTable.read(beside)


@dataclass(frozen=True, eq=False)
class _Finders:
    card: VerificationCard
    pairs: PairList
    comparisons: Comparisons
    table: LabelTable | None
    source: FaceSource | None

    def find(self, column: str) -> GroupLabels:
        """A column of the table of people or images, else of the pairs, else of the twin."""
        if self.table is not None and column in self.table.columns:
            return self._of_table(self.table, column)
        own = self.pairs.columns
        sides = [f"{column}{end}" for end in SIDES]
        if all(side in own for side in sides):
            return self._of_sides(column, own[sides[0]], own[sides[1]])
        if column in own:
            return self._of_pairs(own[column])
        seed = self._seed
        if seed is not None and column in TWIN_GROUPS:
            label = twin_labels(column, seed)
            return self._of_images([label(key) for key in self.comparisons.keys])
        there = self._there()
        has = (
            f"there are {', '.join(there)}"
            if there
            else ("its list has none; name a table of people or images with --group-table")
        )
        raise UserError(
            f"protocol {self.card.name}: no column of groups {column!r}{nearest(column, there)} "
            f"({has})"
        )

    @property
    def _seed(self) -> int | None:
        rendered = isinstance(self.source, SyntheticSource)
        return twin_seed(self.source.rendering) if rendered else None  # type: ignore[union-attr]

    def _there(self) -> list[str]:
        own = self.pairs.columns
        first, second = SIDES
        both = [n.removesuffix(first) for n in own if n.endswith(first)]
        sided = [name for name in both if f"{name}{second}" in own]
        bare = [n for n in own if n.removesuffix(first) not in sided]
        bare = [n for n in bare if n.removesuffix(second) not in sided]
        twins = TWIN_GROUPS if self._seed is not None else ()
        return [*(self.table.columns if self.table else ()), *sided, *bare, *twins]

    def _of_table(self, table: LabelTable, column: str) -> GroupLabels:
        if table.by != SUBJECT:
            return self._of_images(table.labels(column, self.comparisons.keys))
        self._require_people(column)
        people = self.pairs.people()
        names = [people[key] for key in self.comparisons.keys]
        return self._of_people(table.labels(column, names))

    def _require_people(self, column: str) -> None:
        if self.comparisons.subjects is None:
            raise UserError(
                f"protocol {self.card.name}: {column!r} is of people, and its list does not say "
                "who is in its images; give the groups by image"
            )

    def _of_sides(self, column: str, left: Sequence[str], right: Sequence[str]) -> GroupLabels:
        """Of the two sides of pairs: an image has one label wherever it stands."""
        compared = self.comparisons
        label: dict[int, str] = {}
        for side, labels in ((compared.left, left), (compared.right, right)):
            for at, text in zip(side.tolist(), labels, strict=True):
                if label.setdefault(at, text) != text:
                    raise UserError(
                        f"protocol {self.card.name}: the image {compared.keys[at]} is in two "
                        f"groups of {column!r}, {label[at]!r} and {text!r}; give every image one"
                    )
        return self._of_images([label[at] for at in range(len(compared.keys))])

    def _of_images(self, labels: Sequence[str]) -> GroupLabels:
        """Labels of images; of people where everybody's images have the same."""
        subjects = self.comparisons.subjects
        if subjects is not None and _agree(subjects, labels):
            return self._of_people(labels)
        compared = self.comparisons
        return self._made("images", labels, lambda at: at, compared.left, compared.right)

    def _of_people(self, labels: Sequence[str]) -> GroupLabels:
        subjects, compared = self.comparisons.subjects, self.comparisons
        assert subjects is not None
        return self._made("people", labels, lambda at: subjects[at], compared.left, compared.right)

    def _of_pairs(self, labels: Sequence[str]) -> GroupLabels:
        """Labels of pairs; of people where all pairs of everybody have the same."""
        compared = self.comparisons
        subjects = compared.subjects
        if subjects is not None:
            sides = np.concatenate((subjects[compared.left], subjects[compared.right]))
            if _agree(sides, [*labels, *labels]):
                own = dict(zip(sides.tolist(), [*labels, *labels], strict=True))
                return self._of_people([own[int(person)] for person in subjects])
        values, codes = _coded(labels)
        return GroupLabels.make("pairs", values, codes, codes)

    def _made(
        self,
        of: Of,
        labels: Sequence[str],
        unit: Callable[[IntArray], IntArray],
        left: IntArray,
        right: IntArray,
    ) -> GroupLabels:
        """Labels of images, those of people once for each of their images."""
        values, codes = _coded(labels)
        return GroupLabels.make(of, values, codes[left], codes[right], unit(left), unit(right))


def _coded(labels: Sequence[str]) -> tuple[tuple[str, ...], IntArray]:
    """The labels there are, sorted, and int64[n], positions in them, -1 of an empty one."""
    values = sorted(set(labels) - {""})
    place = {value: at for at, value in enumerate(values)} | {"": -1}
    return tuple(values), np.array([place[label] for label in labels], dtype=np.int64)


def _agree(units: IntArray, labels: Sequence[str]) -> bool:
    """Whether all labels of a unit, int64[n], are the same."""
    known: dict[int, str] = {}
    return all(
        known.setdefault(unit, label) == label
        for unit, label in zip(units.tolist(), labels, strict=True)
    )


def _require_groups(card: VerificationCard, found: NamedLabels) -> None:
    labelled = found.labelled
    if len(labelled.names) > MOST_GROUPS:
        raise UserError(
            f"protocol {card.name}: {found.column!r} has {len(labelled.values):,} different "
            f"labels, which make {len(labelled.names):,} groups, and {MOST_GROUPS} are taken; join "
            "some, or name another column"
        )
    there = sorted(set(labelled.group[labelled.group >= 0].tolist()))
    if len(there) < 2:
        only = f"one group, {labelled.names[there[0]]!r}" if there else "no group"
        raise UserError(
            f"protocol {card.name}: by {found.column!r} all comparisons are in {only}; at least "
            "two are needed: name another column"
        )
