"""Protocols of a folder of one's own: pairs, or a search, drawn by lot and written as a card.

A lot is a SHA-256 of the seed and a name, so that a draw depends on no generator's version.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain, islice
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import write_together
from facebench.base.validation import validated
from facebench.faces.lfw.lists import Pair, PairList
from facebench.faces.locate import DATASETS, locate_images
from facebench.faces.tables.pairs import COLUMNS
from facebench.protocols.cards import (
    LONGEST_NAME,
    NAME_PATTERN,
    IdentificationCard,
    VerificationCard,
)
from facebench.protocols.kinds.verification import comparisons_of

MOST_PAIRS = 3000  # of each kind, as LFW has
_FARS = (0.1, 0.01, 0.001)
_People = Mapping[str, Sequence[str]]  # images by person, both in the order of their lots


@dataclass(frozen=True)
class DrawnProtocol:
    """A card and the list beside it, as they were written, and what they hold, by name."""

    card: Path
    listed: Path
    counts: Mapping[str, int]


def draw_pairs(
    folder: str | Path, card: Path, *, pairs: int = MOST_PAIRS, folds: int = 10, seed: int = 0
) -> DrawnProtocol:
    """Write a protocol of pairs of the images in a folder per person: ``card`` and its table of
    pairs, ``lists/NAME.csv`` beside it.

    pairs: of each kind, at most, in all folds. People are dealt to folds, so that no person is in
    two; in a fold all have their turn before anybody has a second, and there are as many non-mated
    pairs as mated ones. UserError: no such folder, fewer than two folds' people, another card of
    that name.
    """
    name, dataset = _name(card), _dataset(folder, card)
    people, images = _people(folder, dataset, seed)
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
        "dataset": dataset,
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
    return DrawnProtocol(card, listed, counts)


def draw_search(
    folder: str | Path, card: Path, *, known: float = 0.5, draws: int = 10, seed: int = 0
) -> DrawnProtocol:
    """Write a protocol of searches in a folder per person: ``card`` and the names of the people in
    the gallery, ``lists/NAME.txt`` beside it.

    known: share of the people with two images or more who are in the gallery, all of their images
    but one, which is searched; all images of everybody else are searched, too, and should find
    nobody. Where nobody else is left the set is closed: one image of each is the gallery. draws: of
    which image is which. UserError: as `draw_pairs`; nobody with two images.
    """
    name, dataset = _name(card), _dataset(folder, card)
    if not 0 < known <= 1:
        raise UserError(f"--known {known:g} is no share of people; give one above 0, at most 1")
    people, images = _people(folder, dataset, seed)
    several = [person for person, own in people.items() if len(own) > 1]
    if not several:
        raise UserError(f"{folder} has nobody with two images: one is searched among the others")
    inside = several[: max(1, round(known * len(several)))]
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
        "dataset": dataset,
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


def _name(card: Path) -> str:
    if card.suffix != ".toml":
        raise UserError(f"--output {card}: a protocol's card ends in .toml")
    return card.stem


def _dataset(folder: str | Path, card: Path) -> str:
    """What records call the data: the folder's name where it can be, and is no known set's."""
    name = Path(folder).resolve().name.lower().replace(" ", "-")
    fits = re.fullmatch(NAME_PATTERN, name) and len(name) <= LONGEST_NAME
    return name if fits and name not in DATASETS else card.stem


def _people(folder: str | Path, name: str, seed: int) -> tuple[_People, int]:
    """Images by person, both in the order of their lots, and how many images there are."""
    keys = locate_images(name, folder).keys()
    people: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: _lot(seed, key)):
        people.setdefault(key.split("/")[0], []).append(key)
    return {one: people[one] for one in sorted(people, key=lambda p: _lot(seed, p))}, len(keys)


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
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for pair in pairs:
        people = pair.left_person, pair.right_person
        table.writerow((pair.left_key, pair.right_key, int(pair.mated), pair.fold + 1, *people))
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
