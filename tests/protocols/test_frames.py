from __future__ import annotations

import pytest

from facebench.base.errors import UserError
from facebench.protocols.frames import check_frames, choose_frames

FRAMES = [f"{number}.jpg" for number in range(23)]


def test_rules() -> None:
    assert choose_frames("all", FRAMES, "A/0") == FRAMES
    assert choose_frames("every-10", FRAMES, "A/0") == ["0.jpg", "10.jpg", "20.jpg"]
    assert choose_frames("first-2", FRAMES, "A/0") == ["0.jpg", "1.jpg"]
    assert choose_frames("first-50", FRAMES, "A/0") == FRAMES
    assert choose_frames("every-5", [], "A/0") == []


def test_random_frames_are_the_same_always_distinct_and_in_the_order_of_time() -> None:
    drawn = choose_frames("random-7", FRAMES, "A/0")
    assert drawn == choose_frames("random-7", FRAMES, "A/0")
    assert drawn != choose_frames("random-7", FRAMES, "A/1")
    assert len(set(drawn)) == 7
    assert [FRAMES.index(frame) for frame in drawn] == sorted(FRAMES.index(f) for f in drawn)
    assert choose_frames("random-23", FRAMES, "A/0") == FRAMES


@pytest.mark.parametrize("rule", ["every-0", "first", "some", "random--3", "all-5", "every-1.5"])
def test_unknown_rules(rule: str) -> None:
    with pytest.raises(UserError, match=r"one of all, every-K, first-K, random-K"):
        check_frames(rule)
