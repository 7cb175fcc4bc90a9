"""Protocols drawn of a folder: what is in them, that they run, and what cannot be drawn."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.protocols.cards import (
    IdentificationCard,
    SearchCard,
    VerificationCard,
    read_protocol,
)
from facebench.protocols.drawn import draw_crowd, draw_pairs, draw_search
from facebench.protocols.kinds import galleries, identification, verification
from facebench.protocols.settings import Settings

CENTRE = Settings(align="centre")
COUNTS = (1, 1, 2, 3, 4, 5, 2, 2, 7, 1, 2, 3)


def photos(folder: Path, counts: tuple[int, ...] = COUNTS) -> Path:
    """Files of any names with an image: nothing is decoded where protocols are drawn."""
    image = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    for person, count in enumerate(counts):
        for number in range(count):
            path = folder / f"Person {person:02d}" / "2026" / f"IMG {number}.JPG"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
    return folder


def test_pairs_are_in_folds_of_their_own_people_and_balanced(tmp_path: Path) -> None:
    data = photos(tmp_path / "My photos")
    drawn = draw_pairs(data, tmp_path / "protocols" / "staff.toml", folds=4, seed=3)
    card = read_protocol(drawn.card)
    assert isinstance(card, VerificationCard) and card.dataset == "my-photos"
    prepared = verification.prepare(card, data, CENTRE, images=True)
    found = prepared.comparisons
    assert prepared.published_list is True  # the card pins its list
    assert found.subjects is not None and not prepared.faces.list_remarks
    people = defaultdict(set)
    for side in (found.left, found.right):
        for image, fold in zip(side.tolist(), found.folds.tolist(), strict=True):
            people[int(found.subjects[image])].add(fold)
    assert all(len(folds) == 1 for folds in people.values()) and len(people) == len(COUNTS)
    for fold in range(1, 5):
        kinds = Counter(found.mated[found.folds == fold].tolist())
        assert kinds[True] == kinds[False] > 0
    rows = {frozenset(pair) for pair in zip(found.left.tolist(), found.right.tolist(), strict=True)}
    assert len(rows) == len(found) and all(len(pair) == 2 for pair in rows)
    # All mated pairs that there are, since they are fewer than three thousand.
    possible = sum(len(list(combinations(range(n), 2))) for n in COUNTS)
    assert drawn.counts["mated pairs"] == possible == drawn.counts["non-mated pairs"]
    assert drawn.counts["images"] == sum(COUNTS) and card.comparisons == 2 * possible


def test_fewer_pairs_are_of_everybody_in_turn(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", (2, 2, 2, 30, 2, 2))
    drawn = draw_pairs(data, tmp_path / "few.toml", pairs=6, folds=2)
    rows = [line.split(",") for line in drawn.listed.read_text().splitlines()[1:]]
    mated = Counter(row[4] for row in rows if row[2] == "1")
    assert mated == dict.fromkeys((f"Person {n:02d}" for n in range(6)), 1)


def test_a_draw_is_of_its_seed_and_no_card_is_written_over(tmp_path: Path) -> None:
    data, card = photos(tmp_path / "photos"), tmp_path / "one.toml"
    first = draw_pairs(data, card).listed.read_bytes()
    assert draw_pairs(data, card).listed.read_bytes() == first
    with pytest.raises(UserError, match=r"one.toml is there already, with another content"):
        draw_pairs(data, card, seed=1)
    assert draw_pairs(data, tmp_path / "two.toml", seed=1).listed.read_bytes() != first


def test_a_search_has_known_and_unknown_people(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos")
    drawn = draw_search(data, tmp_path / "door.toml", draws=2)
    card = read_protocol(drawn.card)
    assert isinstance(card, IdentificationCard) and card.task == "open"
    prepared = identification.prepare(card, data, CENTRE, images=True)
    counts = prepared.counts
    assert prepared.published_list is None  # all counts are the card's
    assert (counts["gallery identities"], counts["mated probes"]) == (4, 4)
    assert counts["gallery images"] + counts["mated probes"] + counts["non-mated probes"] == 33
    assert drawn.counts["probes of unknown people"] == counts["non-mated probes"]


def test_without_unknown_people_the_set_is_closed(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", (2, 3, 4))
    drawn = draw_search(data, tmp_path / "door.toml", known=1)
    card = read_protocol(drawn.card)
    assert isinstance(card, IdentificationCard)
    assert (card.task, card.gallery, card.mated_probes, card.fars) == ("closed", 3, 6, ())
    assert identification.prepare(card, data, CENTRE, images=True).published_list is None


@pytest.mark.parametrize(
    ("counts", "said"),
    [((1, 1, 1, 1), "4 people, 0 of them with two"), ((5, 5, 5), "3 people, 3 of them with two")],
)
def test_too_few_people_are_told(counts: tuple[int, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        draw_pairs(photos(tmp_path / "photos", counts), tmp_path / "p.toml")


def broken(data: Path) -> list[str]:
    """An empty image and one that is cut short."""
    names = ["Person 03/2026/IMG 0.JPG", "Person 05/2026/IMG 1.JPG"]
    (data / names[0]).write_bytes(b"")
    (data / names[1]).write_bytes((data / names[1]).read_bytes()[:-9])
    return names


def test_empty_and_broken_images_are_in_no_pair(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos")
    names = broken(data)
    drawn = draw_pairs(data, tmp_path / "p.toml")
    assert drawn.left_out == tuple(names)
    assert drawn.counts["images"] == sum(COUNTS) - 2
    rows = drawn.listed.read_text()
    assert not any(name in rows for name in names) and "Person 03/2026/IMG 1.JPG" in rows


def test_a_search_is_of_all_images_so_that_broken_ones_are_refused(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos")
    broken(data)
    with pytest.raises(UserError, match=r"2 \(Person 03/2026/IMG 0.JPG, .* are empty or broken"):
        draw_search(data, tmp_path / "p.toml")
    (tmp_path / "one" / "A").mkdir(parents=True)
    (tmp_path / "one" / "A" / "a.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"all 1 images of .* are empty or broken"):
        draw_pairs(tmp_path / "one", tmp_path / "p.toml")
    assert not list(tmp_path.glob("*.toml"))


def test_no_card_stands_in_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    for draw in (draw_pairs, draw_search):
        with pytest.raises(UserError, match="lfw is a protocol that facebench ships"):
            draw(photos(tmp_path / "photos"), tmp_path / "protocols" / "lfw.toml")
    assert not (tmp_path / "protocols").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [("my photos", "my-photos"), ("Büro (2026)", "buro-2026"), ("lfw", "card"), ("Фото", "card")],
)
def test_data_are_called_as_their_folder_where_that_can_be(
    folder: str, name: str, tmp_path: Path
) -> None:
    drawn = draw_pairs(photos(tmp_path / folder), tmp_path / "card.toml")
    assert read_protocol(drawn.card).dataset == name


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    data = photos(tmp_path / "photos", (1, 1))
    with pytest.raises(UserError, match="has nobody with two images"):
        draw_search(data, tmp_path / "p.toml")
    with pytest.raises(UserError, match="is no share of people"):
        draw_search(data, tmp_path / "p.toml", known=0)
    with pytest.raises(UserError, match=r"^there is no folder .*nowhere; name one with a folder"):
        draw_pairs(tmp_path / "nowhere", tmp_path / "p.toml")
    with pytest.raises(UserError, match=r"0\.001 of 9 people .* is nobody; give 0\.112"):
        draw_search(photos(tmp_path / "more"), tmp_path / "p.toml", known=0.001)
    with pytest.raises(UserError, match=r"pairs=1: each of two folds or more needs a pair"):
        draw_pairs(tmp_path / "more", tmp_path / "p.toml", pairs=1)
    with pytest.raises(UserError, match=r"a protocol's card ends in \.toml"):
        draw_pairs(data, tmp_path / "p.csv")
    with pytest.raises(UserError, match="field 'name': must be written as"):
        draw_pairs(photos(tmp_path / "more"), tmp_path / "Big.toml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no images in folders of people"):
        draw_pairs(tmp_path / "empty", tmp_path / "p.toml")
    assert not list(tmp_path.glob("*.toml"))


def crowd_of(folder: Path, count: int) -> Path:
    """Images of nobody in particular, at several depths."""
    image = cv2.imencode(".png", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    for number in range(count):
        path = folder / ("" if number % 3 else f"{number % 5}/deep") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
    return folder


def test_a_gallery_with_distractors(tmp_path: Path) -> None:
    data, crowd = photos(tmp_path / "photos"), crowd_of(tmp_path / "crowd", 25)
    (crowd / "broken.jpg").write_bytes(b"")
    drawn = draw_crowd(data, tmp_path / "protocols" / "door.toml", crowd, seed=4)
    card = read_protocol(drawn.card)
    assert isinstance(card, SearchCard) and card.dataset == "photos"
    several = sum(count > 1 for count in COUNTS)
    known = round(several / 2)
    assert drawn.counts["people in the gallery"] == drawn.counts["probes of known people"] == known
    assert drawn.counts["distractors"] == 25 and drawn.left_out == ("broken.jpg",)
    settings = Settings(align="centre", distractors=crowd)
    prepared = galleries.prepare(card, data, settings, images=True)
    assert prepared.published_list is True and prepared.faces.kind == "real"
    counts = prepared.counts
    assert counts["gallery identities"] == known + 25
    assert counts["mated probes"] == known and counts["distractors"] == 25
    everybody = sum(COUNTS)
    assert counts["mated probes"] + counts["non-mated probes"] + counts["gallery images"] == (
        everybody + 25
    )
    source = prepared.faces.source
    assert source is not None and not source.missing(prepared.faces.keys)
    assert all(source.read(key).shape == (16, 16, 3) for key in prepared.faces.keys)
    before = source.fingerprint(prepared.faces.keys)
    (crowd / "1.png").write_bytes((crowd / "2.png").read_bytes() + b"x")
    assert source.fingerprint(prepared.faces.keys) != before
    (crowd / "1.png").unlink()
    assert source.missing(prepared.faces.keys) == ["1.png"]
    again = draw_crowd(data, tmp_path / "other" / "door.toml", crowd_of(crowd, 25), seed=5)
    assert again.listed.read_text() != drawn.listed.read_text()


def test_what_makes_no_crowd(tmp_path: Path) -> None:
    data, card = photos(tmp_path / "photos"), tmp_path / "protocols" / "door.toml"
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no images that can be read"):
        draw_crowd(data, card, tmp_path / "empty")
    with pytest.raises(UserError, match=r"no folder .*absent; check distractors="):
        draw_crowd(data, card, tmp_path / "absent")
    with pytest.raises(UserError, match=r"called as 12 people of .*Person 00.*nobody who is"):
        draw_crowd(data, card, data)
    assert not card.exists()
    drawn = draw_crowd(data, card, crowd_of(tmp_path / "crowd", 3))
    with pytest.raises(UserError, match=r"there is no folder .*gone; check distractors="):
        galleries.prepare(
            read_protocol(drawn.card), data, Settings(distractors=tmp_path / "gone"), images=True
        )
