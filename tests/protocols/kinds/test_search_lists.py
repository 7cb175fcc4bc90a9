"""Who is searched among whom: every published count from the lists of names, and the draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.protocols.cards import IdentificationCard, load_protocol
from facebench.protocols.kinds.named_faces import people_of
from facebench.protocols.kinds.search_lists import listed_names, search_lists, subjects_of


def card(name: str, **changes) -> IdentificationCard:
    found = load_protocol(name)
    assert isinstance(found, IdentificationCard)
    return found.model_copy(update=changes)


def lfw_keys(shared: Path) -> tuple[str, ...]:
    lines = (shared / "protocols" / "lfw_landmarks.txt").read_text().splitlines()
    return tuple(sorted(line.split("\t")[0] for line in lines))


def official_people(shared: Path) -> dict[str, int]:
    lines = (shared / "protocols" / "lfw_people.txt").read_text().splitlines()
    return {name: int(count) for name, count in (x.split("\t") for x in lines if "\t" in x)}


def ytf_people(shared: Path) -> set[str]:
    lines = (shared / "protocols" / "ytf_videos.txt").read_text().splitlines()
    return {line.split("/")[0] for line in lines if line.strip()}


def test_the_shipped_names_are_those_of_the_derivation(shared_data: Path) -> None:
    counts, videos = official_people(shared_data), ytf_people(shared_data)
    assert (len(counts), sum(counts.values()), len(videos)) == (5749, 13233, 1595)
    assert Counter(key.split("/")[0] for key in lfw_keys(shared_data)) == counts
    derived = sorted(name for name, images in counts.items() if images >= 2 and name in videos)
    assert len(derived) == 596 and sum(counts[name] for name in derived) == 3739
    assert listed_names(card("lfw-open")) == listed_names(card("lfw-closed")) == derived
    assert sum(images >= 2 for images in counts.values()) == card("lfw-open").candidates == 1680
    # Spelling hides nobody: two people of YouTube Faces are no names of LFW. Paul_Crane may be
    # LFW's Paul_Crake, who has one image and so is no subject either way.
    assert videos - set(counts) == {"Frank_Caliendo", "Paul_Crane"}
    assert counts["Paul_Crake"] == 1


def test_open_set_has_every_published_count(shared_data: Path) -> None:
    keys = lfw_keys(shared_data)
    names, people = people_of(keys)
    open_set = card("lfw-open")
    subjects = subjects_of(open_set, listed_names(open_set), names, people, "real")
    assert len(subjects) == 596
    draws = search_lists(open_set, keys, names, people, subjects, 0)
    assert len(draws) == open_set.draws == 10
    inside = {names.index(name) for name in subjects}
    for drawn in draws:
        probes, gallery = people[drawn.probes], people[drawn.gallery]
        mated = np.isin(probes, gallery)
        assert len(drawn.gallery) == open_set.gallery == 3143
        assert len(set(gallery.tolist())) == open_set.identities == 596
        assert mated.sum() == open_set.mated_probes == 596
        assert (~mated).sum() == open_set.nonmated_probes == 9494
        assert len(drawn.probes) == open_set.published_comparisons == 10090
        # One probe per subject, and every image of LFW once.
        assert sorted(probes[mated].tolist()) == sorted(inside) == sorted(set(gallery.tolist()))
        assert sorted([*drawn.gallery, *drawn.probes]) == list(range(13233))
    assert len({drawn.probes.tobytes() for drawn in draws}) == 10


def test_closed_set_has_every_published_count(shared_data: Path) -> None:
    keys = lfw_keys(shared_data)
    names, people = people_of(keys)
    closed = card("lfw-closed")
    listed = listed_names(closed)
    subjects = subjects_of(closed, listed, names, people, "real")
    company = closed.identities - len(listed)
    assert company == 3653
    seen = set()
    for drawn in search_lists(closed, keys, names, people, subjects, company):
        gallery, probes = people[drawn.gallery], people[drawn.probes]
        assert len(gallery) == len(set(gallery.tolist())) == closed.gallery == closed.identities
        assert len(gallery) == 4249
        assert len(probes) == closed.mated_probes == 3143 and closed.nonmated_probes == 0
        assert np.isin(probes, gallery).all()
        inside = {names.index(name) for name in subjects}
        assert set(probes.tolist()) == inside
        assert len(set(gallery.tolist()) - inside) == 3653
        assert not set(drawn.gallery.tolist()) & set(drawn.probes.tolist())
        seen.add(frozenset(gallery.tolist()))
    assert len(seen) == 10  # other people every time


def toy_lists(task: str, seed: int = 0, extra: int = 0, company: int = 2, draws: int = 20):
    counts = {"Ann": 3, "Bob": 2, "Cleo": 1, "Dan": 2, "Eve": 1} | {
        f"Zoe{i}": 1 for i in range(extra)
    }
    keys = tuple(sorted(f"{n}/{n}_{i:04d}.jpg" for n, c in counts.items() for i in range(1, c + 1)))
    names, people = people_of(keys)
    own = card(f"lfw-{task}", seed=seed, draws=draws)
    found = search_lists(own, keys, names, people, ["Ann", "Bob"], company)
    return keys, [[tuple(keys[i] for i in side) for side in (d.gallery, d.probes)] for d in found]


def test_draws_are_fixed_by_the_seed_and_do_not_depend_on_what_else_is_there() -> None:
    _, once = toy_lists("open")
    _, again = toy_lists("open")
    assert once == again
    assert toy_lists("open", seed=1)[1] != once
    _, more = toy_lists("open", extra=3)
    assert [gallery for gallery, _ in more] == [gallery for gallery, _ in once]


def test_every_image_is_somebody_s_probe_in_some_draw() -> None:
    _, draws = toy_lists("open", draws=60)
    drawn = Counter(key for _, probes in draws for key in probes if key.startswith("Ann"))
    assert set(drawn) == {f"Ann/Ann_000{i}.jpg" for i in (1, 2, 3)}
    assert min(drawn.values()) > 8  # of 60, 20 expected
    assert all(sum(key.startswith("Ann") for key in probes) == 1 for _, probes in draws)


def test_a_small_closed_set_takes_all_others_that_there_are() -> None:
    _, draws = toy_lists("closed", company=100)
    for gallery, probes in draws:
        assert sorted(key.split("/")[0] for key in gallery) == ["Ann", "Bob", "Cleo", "Dan", "Eve"]
        assert len(probes) == 3


def test_subjects_of_rendered_people_are_the_same_share_by_lot() -> None:
    names = [f"Synth_{i:05d}" for i in range(300)]
    people = np.concatenate([np.arange(300), np.arange(168)])
    open_set = card("lfw-open")
    found = subjects_of(open_set, ["x"] * 596, names, people, "synthetic")
    assert len(found) == round(168 * 596 / 1680) == 60
    assert set(found) <= set(names[:168]) and found == sorted(found)
    assert found == subjects_of(open_set, ["x"] * 596, names, people, "synthetic")
    other = card("lfw-open", seed=1)
    assert found != subjects_of(other, ["x"] * 596, names, people, "synthetic")


def test_lists_of_subjects_that_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"lfw-open: there is no list of subjects lists/no\.txt"):
        listed_names(card("lfw-open", subjects="lists/no.txt"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "protocols").mkdir()
    for text in ("", "# nobody\n", "Ann\nAnn\n"):
        (tmp_path / "protocols" / "mine.txt").write_text(text)
        with pytest.raises(UserError, match="at least one subject, and each once"):
            listed_names(card("lfw-open", subjects="mine.txt"))
    (tmp_path / "protocols" / "mine.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="line 1: not UTF-8 text"):
        listed_names(card("lfw-open", subjects="mine.txt"))
    names, people = people_of(("Ann/Ann_0001.jpg", "Bob/Bob_0001.jpg"))
    with pytest.raises(UserError, match="has two images here; point data= at all"):
        subjects_of(card("lfw-open"), ["Ann", "Bob"], names, people, "real")


def test_a_list_outside_the_workspace_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "protocols").mkdir(parents=True)
    (tmp_path / "private").write_text("Ann\n")
    monkeypatch.chdir(tmp_path / "work")
    for name in ("../../private", str(tmp_path / "private")):
        with pytest.raises(UserError, match=r"field 'subjects': .* leads out of"):
            listed_names(card("lfw-open", subjects=name))
