"""What is said of lists that repeat themselves, and that nothing is said of the official ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.faces.ijb.ijba import read_ijba_search, read_ijba_verification
from facebench.faces.lfw.lists import read_pairs
from facebench.faces.lfw.remarks import pair_remarks, search_remarks, template_remarks
from facebench.faces.ytf.lists import read_splits
from tests.helpers.ijb_folders import GALLERY, PROBES, metadata, write_ijba

ONCE = "; every row counts as listed"


def test_the_official_lists_of_pairs_repeat_nothing(shared_data: Path) -> None:
    lists = shared_data / "protocols"
    assert pair_remarks(read_pairs(lists / "lfw_pairs.txt")) == ()
    assert pair_remarks(read_splits(lists / "ytf_splits.txt")) == ()
    assert pair_remarks(read_pairs(shared_data / "lfw-mini" / "pairs.txt")) == ()


@pytest.mark.parametrize(
    ("second", "remarks"),
    [
        ("C\t1\t2\nC\t1\tD\t1\n", ()),
        (
            "A\t1\t2\nC\t1\tD\t1\n",
            (
                f"the list names 1 of its 4 comparisons more than once{ONCE}",
                "the list puts 1 of its 4 people in more than one fold",
            ),
        ),
        (
            "A\t2\t1\nB\t1\tA\t1\n",
            (
                f"the list names 2 of its 4 comparisons more than once, 2 of them in the other "
                f"order{ONCE}",
                "the list puts 2 of its 2 people in more than one fold",
            ),
        ),
    ],
)
def test_pairs_of_photographs(tmp_path: Path, second: str, remarks: tuple[str, ...]) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(f"2\t1\nA\t1\t2\nA\t1\tB\t1\n{second}")
    found = pair_remarks(read_pairs(path))
    assert len(found) == len(remarks)
    assert all(line.startswith(said) for line, said in zip(found, remarks, strict=True))


def test_pairs_of_videos(tmp_path: Path) -> None:
    path = tmp_path / "splits.txt"
    path.write_text("1,1,A/0,A/1,1\n1,2,A/0,B/0,0\n1,3,A/1,A/0,1\n1,4,A/0,B/0,0\n")
    assert pair_remarks(read_splits(path)) == (
        f"the list names 2 of its 4 comparisons more than once, 1 of them in the other order{ONCE}",
    )


def test_templates(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path, images=False)
    assert template_remarks(read_ijba_verification(folder, 2).splits) == ()
    pairs = folder / "IJB-A_11_sets" / "split2" / "verify_comparisons_2.csv"
    pairs.write_text("10,11\n10,20\n10,20\n20,10\n")
    assert template_remarks(read_ijba_verification(folder, 2).splits) == (
        f"the list names 2 of its 12 comparisons more than once, 1 of them in the other "
        f"order{ONCE}",
    )


def test_searches(tmp_path: Path) -> None:
    folder = write_ijba(tmp_path, images=False)
    assert search_remarks(read_ijba_search(folder, 2).splits) == ()
    probes = folder / "IJB-A_1N_sets" / "split2" / "search_probe_2.csv"
    probes.write_text(metadata([*PROBES, PROBES[2], PROBES[2]]))
    assert GALLERY[0][0] != PROBES[2][0]
    assert search_remarks(read_ijba_search(folder, 2).splits) == (
        "the lists name 2 faces that their template names already (the first is img/4.jpg of "
        f"template 30){ONCE}",
    )
