"""Protocols of a folder of one's own: pairs, or a search, drawn by lot and written as a card.

A lot is a SHA-256 of the seed and a name, so that a draw depends on no generator's version.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import write_together
from facebench.base.validation import validated
from facebench.faces.distractors import any_folder
from facebench.faces.images import broken_images
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource, PeopleSource
from facebench.faces.lfw.lists import Pair, PairList, some
from facebench.faces.locate import locate_images, own_name
from facebench.faces.tables.columns import TextTable
from facebench.faces.tables.galleries import (
    DISTRACTOR,
    GALLERY,
    IMAGE,
    PROBE,
    SET,
    SUBJECT,
    search_of,
)
from facebench.faces.tables.pairs import COLUMNS
from facebench.faces.types import Progress
from facebench.protocols.cards import (
    IdentificationCard,
    SearchCard,
    VerificationCard,
    shipped_protocol,
)
from facebench.protocols.kinds.verification import comparisons_of

MOST_PAIRS = 3000  # of each kind, as LFW has
_FARS = (0.1, 0.01, 0.001)
_People = Mapping[str, Sequence[str]]  # images by person, both in the order of their lots


@dataclass(frozen=True)
class DrawnProtocol:
    """A card and the list beside it, as they were written, and what they hold, by name.

    left_out: images that are empty or broken, sorted.
    """

    card: Path
    listed: Path
    counts: Mapping[str, int]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Faces:
    """What there is to draw of. people: images by person; broken: those left out."""

    dataset: str
    people: _People
    broken: tuple[str, ...]

    @property
    def images(self) -> int:
        return sum(map(len, self.people.values()))


def draw_pairs(
    folder: str | Path,
    card: Path,
    *,
    pairs: int = MOST_PAIRS,
    folds: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> DrawnProtocol:
    """Write a protocol of pairs of the images in a folder per person: ``card`` and its table of
    pairs, ``lists/NAME.csv`` beside it.

    pairs: of each kind, at most, in all folds. People are dealt to folds, so that no person is in
    two; in a fold all have their turn before anybody has a second, and there are as many non-mated
    pairs as mated ones. Images that are empty or broken are left out. progress: told of images that
    were read. UserError: no such folder, fewer than two folds' people, another card of that name.
    """
    name = _name(card)
    if pairs < 2:
        raise UserError(f"--pairs {pairs}: each of two folds or more needs a pair; give 2 or more")
    faces = _faces(folder, card, seed, progress)
    people, images = faces.people, faces.images
    several = [person for person, own in people.items() if len(own) > 1]
    parts = min(folds, len(several), len(people) // 2, pairs)
    if parts < 2:
        raise UserError(
            f"{folder} has {len(people)} people, {len(several)} of them with two images or more; "
            "pairs in two folds need four people, two of them with two images"
        )
    others = [person for person in people if len(people[person]) == 1]
    dealt = [[*several, *others][part::parts] for part in range(parts)]
    found = list(chain.from_iterable(
        _fold_pairs({one: people[one] for one in own}, fold, pairs // parts)
        for fold, own in enumerate(dealt)
    ))  # fmt: skip
    mated = sum(pair.mated for pair in found)
    values = {
        "name": name,
        "kind": "verification",
        "version": 1,
        "title": f"Pairs of {name}",
        "source": f"drawn by facebench data pairs, seed {seed}: {images:,} images of "
        f"{len(people):,} people",
        "dataset": faces.dataset,
        "pair_list": f"lists/{name}.csv",
        "folds": parts,
        "comparisons": len(found),
        "pairs": comparisons_of(PairList(tuple(found))).fingerprint,
        "targets": _resolvable(len(found) - mated),
    }
    validated(VerificationCard, values, str(card))
    listed = card.parent / "lists" / f"{name}.csv"
    _write({card: _toml(values), listed: _csv(found)})
    used = len({key for pair in found for key in (pair.left_key, pair.right_key)})
    counts = {
        "people": len(people),
        "images": images,
        "images in pairs": used,
        "mated pairs": mated,
        "non-mated pairs": len(found) - mated,
        "folds": parts,
    }
    return DrawnProtocol(card, listed, counts, faces.broken)


def draw_search(
    folder: str | Path,
    card: Path,
    *,
    known: float = 0.5,
    draws: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> DrawnProtocol:
    """Write a protocol of searches in a folder per person: ``card`` and the names of the people in
    the gallery, ``lists/NAME.txt`` beside it.

    known: share of the people with two images or more who are in the gallery, all of their images
    but one, which is searched; all images of everybody else are searched, too, and should find
    nobody. Where nobody else is left the set is closed: one image of each is the gallery. draws: of
    which image is which; progress: as of `draw_pairs`. UserError: as `draw_pairs`; nobody with two
    images; images that are empty or broken, since a search is of all images of the folder.
    """
    name = _name(card)
    faces, several, inside = _enrolled(folder, card, known, seed, progress)
    people, images = faces.people, faces.images
    own = sum(len(people[person]) for person in inside)
    strangers, left = images - own, own - len(inside)
    closed = len(inside) == len(people)
    gallery, probes = (len(inside), left) if closed else (left, len(inside))
    values = {
        "name": name,
        "kind": "identification",
        "version": 1,
        "title": f"Searches in {name}",
        "source": f"drawn by facebench data search, seed {seed}: {images:,} images of "
        f"{len(people):,} people",
        "dataset": faces.dataset,
        "task": "closed" if closed else "open",
        "subjects": f"lists/{name}.txt",
        "candidates": len(several),
        "identities": len(inside),
        "gallery": gallery,
        "mated_probes": probes,
        "nonmated_probes": strangers,
        "draws": draws,
        "seed": seed,
        "fars": [] if closed else sorted(_resolvable(strangers), key=lambda far: abs(far - 0.01)),
        "ranks": [rank for rank in (1, 5, 10, 20) if rank < max(2, len(inside))],
    }
    validated(IdentificationCard, values, str(card))
    listed = card.parent / "lists" / f"{name}.txt"
    _write({card: _toml(values), listed: "".join(f"{person}\n" for person in sorted(inside))})
    counts = {
        "people": len(people),
        "images": images,
        "people in the gallery": len(inside),
        "images in the gallery": gallery,
        "probes of known people": probes,
        "probes of unknown people": strangers,
        "draws": draws,
    }
    return DrawnProtocol(card, listed, counts)


def draw_crowd(
    folder: str | Path,
    card: Path,
    distractors: str | Path,
    *,
    known: float = 0.5,
    seed: int = 0,
    progress: Progress | None = None,
) -> DrawnProtocol:
    """Write a protocol of searches in a gallery with distractors: ``card`` and its list,
    ``lists/NAME.csv`` beside it.

    Known and unknown people are as of `draw_search`, in one draw: one image of each known person is
    searched, the others are the gallery, and with them every image below ``distractors``, a folder
    of any layout, each counting as a person of its own. Those that are empty or broken are left
    out. UserError: as `draw_search`; no images there, or some that are called as the folder's are.
    """
    name = _name(card)
    faces, _, inside = _enrolled(folder, card, known, seed, progress)
    others = any_folder(distractors, "--distractors")
    crowd = others.keys()
    broken = {key for key, _ in broken_images(others.encoded, crowd, progress)}
    crowd = [key for key in crowd if key not in broken]
    if not crowd:
        raise UserError(f"{distractors} holds no images that can be read; name a folder of faces")
    if shared := {key.split("/")[0] for key in crowd} & {k.split("/")[0] for k in faces.people}:
        raise UserError(
            f"{distractors} has what is called as {len(shared):,} people of {folder} "
            f"({min(shared)}); distractors are of nobody who is searched: leave these out, or name "
            "the folder above it, if they are other people"
        )
    rows = [
        (key, person, PROBE if person not in inside or number == 0 else GALLERY)
        for person, own in sorted(faces.people.items())
        for number, key in enumerate(own)
    ] + [(key, "", DISTRACTOR) for key in crowd]
    listed = card.parent / "lists" / f"{name}.csv"
    columns = dict(zip((IMAGE, SUBJECT, SET), map(list, zip(*rows, strict=True)), strict=True))
    found = search_of(TextTable(listed, columns, range(2, len(rows) + 2)))
    strangers = found.probes - len(inside)
    values = {
        "name": name,
        "kind": "search",
        "version": 1,
        "title": f"Searches in {name}",
        "source": f"drawn by facebench data search, seed {seed}: {faces.images:,} images of "
        f"{len(faces.people):,} people, {len(crowd):,} distractors",
        "dataset": faces.dataset,
        "search_list": f"lists/{name}.csv",
        "searches": found.fingerprint,
        "fars": sorted(_resolvable(strangers), key=lambda far: abs(far - 0.01))
        if strangers
        else [],
        "ranks": [rank for rank in (1, 5, 10, 50) if rank < max(2, found.identities)],
    }
    validated(SearchCard, values, str(card))
    _write({card: _toml(values), listed: _table([(IMAGE, SUBJECT, SET), *rows])})
    counts = {
        "people": len(faces.people),
        "people in the gallery": len(inside),
        "images in the gallery": len(rows) - found.probes - len(crowd),
        "distractors": len(crowd),
        "probes of known people": len(inside),
        "probes of unknown people": strangers,
    }
    return DrawnProtocol(card, listed, counts, tuple(sorted(broken)))


def _enrolled(
    folder: str | Path, card: Path, known: float, seed: int, progress: Progress | None
) -> tuple[_Faces, list[str], list[str]]:
    """(the faces, people with two images or more, those of them who are in the gallery)."""
    if not 0 < known <= 1:
        raise UserError(f"--known {known:g} is no share of people; give one above 0, at most 1")
    faces = _faces(folder, card, seed, progress)
    people, images = faces.people, faces.images
    if faces.broken:
        raise UserError(
            f"{some(faces.broken)} of {len(faces.broken) + images:,} images of {folder} are empty "
            "or broken, and a search is of all of them; remove these (`facebench data check` lists "
            "them)"
        )
    several = [person for person, own in people.items() if len(own) > 1]
    if not several:
        raise UserError(f"{folder} has nobody with two images: one is searched among the others")
    inside = several[: round(known * len(several))]
    if not inside:
        raise UserError(
            f"--known {known:g} of {len(several):,} people with two images or more is nobody; give "
            f"{-(-1000 // len(several)) / 1000:g}, which is one of them"
        )
    return faces, several, inside


def _name(card: Path) -> str:
    if card.suffix != ".toml":
        raise UserError(f"--output {card}: a protocol's card ends in .toml")
    if shipped_protocol(card.stem) is not None:
        raise UserError(
            f"--output {card}: {card.stem} is a protocol that facebench ships, and this card would "
            "stand in its place; choose another name"
        )
    return card.stem


def _faces(folder: str | Path, card: Path, seed: int, progress: Progress | None) -> _Faces:
    """Images by person, both in the order of their lots, under the folder's name where it can be
    that of data, and is no known set's.
    """
    if not Path(folder).is_dir():
        raise UserError(f"there is no folder {folder}; name one with a folder for each person")
    dataset = own_name(folder, card.stem)
    located = locate_images(dataset, folder)
    keys = located.keys()
    source = located.source
    assert isinstance(source, LfwSource | FlatFolderSource | PeopleSource)
    broken = {key for key, _ in broken_images(source.encoded, keys, progress)}
    keys = [key for key in keys if key not in broken]
    if not keys:
        raise UserError(f"all {len(broken):,} images of {folder} are empty or broken")
    people: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: _lot(seed, key)):
        people.setdefault(key.split("/")[0], []).append(key)
    ordered = {one: people[one] for one in sorted(people, key=lambda p: _lot(seed, p))}
    return _Faces(dataset, ordered, tuple(sorted(broken)))


def _fold_pairs(people: _People, fold: int, most: int) -> Iterator[Pair]:
    """Mated pairs, each person one by turns, and then as many non-mated ones."""
    within = [_within(own, one) for one, own in people.items() if len(own) > 1]
    mated = list(islice(_by_turns(within), most))
    across = islice(_across(people), len(mated))
    for left, right, one, two in (*mated, *across):
        yield Pair(left, right, one == two, fold, one, two)


_Drawn = tuple[str, str, str, str]  # images and people


def _within(images: Sequence[str], person: str) -> Iterator[_Drawn]:
    """All pairs of a person's images, neighbours in their circle first: each is used as often."""
    count = len(images)
    for apart in range(1, count // 2 + 1):
        # Half way round every pair comes twice.
        for start in range(count // 2 if 2 * apart == count else count):
            yield images[start], images[(start + apart) % count], person, person


def _across(people: _People) -> Iterator[_Drawn]:
    """Pairs of images of two people: all pairs of people, neighbours first, and then again."""
    names = list(people)
    count, rounds = len(names), max(map(len, people.values())) ** 2
    for turn in range(rounds):
        for apart in range(1, count // 2 + 1):
            for start in range(count // 2 if 2 * apart == count else count):
                one, two = names[start], names[(start + apart) % count]
                mine, other = people[one], people[two]
                if turn < len(mine) * len(other):
                    left = mine[(turn + apart) % len(mine)]
                    right = other[(turn // len(mine) + start) % len(other)]
                    yield left, right, one, two


def _by_turns(several: Iterable[Iterator[_Drawn]]) -> Iterator[_Drawn]:
    waiting = list(several)
    while waiting:
        left = []
        for one in waiting:
            drawn = next(one, None)
            if drawn is not None:
                yield drawn
                left.append(one)
        waiting = left


def _resolvable(nonmated: int) -> list[float]:
    """FARs that so many non-mated comparisons can tell from zero, and one in any case."""
    return [far for far in _FARS if far * nonmated >= 1] or [_FARS[0]]


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()


def _toml(values: Mapping[str, object]) -> str:
    """Texts, numbers and lists of them are written in TOML as in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def _csv(pairs: Sequence[Pair]) -> str:
    rows = (
        (
            one.left_key,
            one.right_key,
            int(one.mated),
            one.fold + 1,
            one.left_person,
            one.right_person,
        )
        for one in pairs
    )
    return _table([COLUMNS, *rows])


def _table(rows: Iterable[Sequence[object]]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        if path.exists() and path.read_bytes() != text.encode():
            raise UserError(
                f"{path} is there already, with another content; choose another --output, or "
                "remove it"
            )
    try:
        write_together({path: text.encode() for path, text in files.items()})
    except OSError as error:
        where = next(iter(files))
        raise UserError(f"cannot write {where}: {error.strerror or error}") from error
