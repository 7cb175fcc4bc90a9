"""A training's log, read for a picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from facebench.base.errors import UserError
from facebench.lab.learning.plot import plot_log, read_log


def test_losses_by_mini_batch_whatever_the_speed(tmp_path: Path) -> None:
    log = tmp_path / "mini-0123456789ab" / "log.csv"
    log.parent.mkdir()
    log.write_text("step,a,b,faces_per_second\r\n1,0.5,2.0,nan\r\n3,0.25,1.0,9.5\r\n")
    assert read_log(log) == (["a", "b"], [1, 3], [[0.5, 0.25], [2.0, 1.0]])
    plot_log(log, tmp_path / "x.svg")
    assert "<svg" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize("text", ["", "step,a,faces\n1,", "step,a,faces\nx,1,2\n", "step,a,f\n1\n"])
def test_a_log_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(UserError, match=r"log\.csv: not the log of a training"):
        read_log(tmp_path / "log.csv")
