"""``data check`` agrees with the evaluation on what is published, and on what is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.faces.ijb.check import check_ijba, check_ijbc
from tests.helpers.ijb_folders import write_ijba, write_ijbc


def wrong(checks) -> list[str]:
    return [text for ok, text in checks if not ok]


def test_a_small_folder_is_not_the_published_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ijba(tmp_path, splits=10)
    assert wrong(check_ijba(tmp_path)) == [
        "IJB-A_11_sets: 80 comparisons in 10 splits; NOT THE PUBLISHED LIST: split 1 has 8 "
        "comparisons (3 mated), the published one 11,787 comparisons (1,803 mated)",
        "IJB-A_1N_sets: 40 probes in 10 splits; NOT THE PUBLISHED LIST: split 1 has 4 probes "
        "and 2 people in its gallery, the published one 1,803 probes and 112 people in its gallery",
    ]
    for name, counts in (("COMPARISONS", (8, 3)), ("SEARCHES", (2, 4))):
        monkeypatch.setattr(f"facebench.faces.ijb.published.{name}", (counts,) * 10)
    assert wrong(check_ijba(tmp_path)) == []


def test_an_absent_folder_of_images_is_named(tmp_path: Path) -> None:
    ijba = write_ijba(tmp_path / "ijba", splits=10, images=False)
    absent = f"8 faces named, and there is no folder {ijba / 'images'}"
    assert wrong(check_ijba(ijba))[-1] == absent
    (ijba / "img").mkdir()  # beside the lists
    assert "8 faces named, without image: 8" in wrong(check_ijba(ijba))[-1]
    ijbc = write_ijbc(tmp_path / "IJBC", images=False)
    absent = f"5 faces named, and there is no folder {ijbc / 'loose_crop'}"
    assert wrong(check_ijbc(ijbc, "ijbc"))[-1] == absent
