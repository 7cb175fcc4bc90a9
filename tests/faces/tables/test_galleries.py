"""Lists of searches: what they say, and what is refused in which row."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.faces.tables.galleries import read_search

LIST = """image,subject,set,light
p1,Bob,probe,day
g1,Ann,gallery,day
d1,,distractor,day
p2,Zoe,probe,day
g2,Bob,gallery,night
d2,Crowd,distractor,
g3,Ann,gallery,day
d3,Crowd,distractor,
g4,Bob,gallery,day
p3,Bob,probe,
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "list.csv"
    path.write_text(text)
    return read_search(path)


def test_probes_then_their_people_then_all_else(tmp_path: Path) -> None:
    found = read(tmp_path, LIST)
    assert found.images == ("p1", "p2", "p3", "g2", "g4", "g1", "g3", "d1", "d2", "d3")
    assert (found.probes, found.mates, found.identities) == (3, 2, 4)
    assert found.people.tolist() == [0, 4, 0, 0, 0, 1, 1, 2, 3, 3]
    assert found.distractors.tolist() == [False] * 7 + [True] * 3
    assert found.names == {0: "Bob", 1: "Ann", 3: "Crowd", 4: "Zoe"}


def test_the_fingerprint_is_of_who_is_what_and_not_of_other_columns(tmp_path: Path) -> None:
    first = read(tmp_path, LIST).fingerprint
    assert read(tmp_path, LIST.replace("night", "day")).fingerprint == first
    for old, new in (
        ("g3,Ann", "g3,Bob"),
        ("d1,,dis", "d1,Dan,dis"),
        ("d1,,distractor", "d1,D,gallery"),
    ):
        other = read(tmp_path, LIST.replace(old, new)).fingerprint
        assert (other == first) == (new == "d1,Dan,dis")  # a name alone changes no search


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("g1,Ann", "g1,", "line 3: subject is empty; only a distractor may have none"),
        (
            "p2,Zoe,probe",
            "p2,Zoe,prob",
            "line 5: set is 'prob', not one of gallery, probe, distractor; did you mean 'probe'?",
        ),
        ("g3,", "g1,", "line 8: g1 is there twice, as in line 3; list it once"),
        ("d2,Crowd", "d2,Bob", "line 7: the distractor d2 is of Bob, who is searched"),
        ("g1,Ann", ",Ann", "line 3: image is empty"),
        ("subject", "person", "has no column 'subject'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, LIST.replace(old, new))
    assert told in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("lacks", ["probe", "gallery"])
def test_a_list_has_probes_and_a_gallery(tmp_path: Path, lacks: str) -> None:
    lines = [line for line in LIST.splitlines() if f",{lacks}" not in line]
    with pytest.raises(UserError, match=f"has no {lacks}"):
        read(tmp_path, "\n".join(lines))
