"""Words for cards, by hand."""

from __future__ import annotations

from pathlib import Path

import torch

from facebench.lab.laboratory.work_folder import (
    duration_words,
    machine_words,
    own_notes,
    precision_words,
)


def test_the_duration_is_that_of_the_last_speed(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,loss,faces_per_second\n100,1.0,10.0\n200,0.5,20.0\n")
    assert duration_words(log, 12_000) == "about 10 minutes"
    assert duration_words(log, 12_000, "its ancestors") == "about 10 minutes without its ancestors"
    assert duration_words(log, 1_200) == "about 60 seconds"
    assert duration_words(tmp_path / "none.csv", 1) == duration_words(None, 1) == ""


def test_an_earlier_evaluation_is_not_kept() -> None:
    assert own_notes("The dense one. Evaluation: lfw 0.9. ") == "The dense one."
    assert own_notes("Evaluation: lfw 0.9.") == "" and own_notes("Plain.") == "Plain."


def test_machine_and_precision() -> None:
    assert precision_words("bfloat16") == "bfloat16 autocast"
    assert precision_words("float32") == "float32"
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert machine_words("cpu") == "cpu, 1 thread"
        torch.set_num_threads(2)
        assert machine_words("cpu") == "cpu, 2 threads"
    finally:
        torch.set_num_threads(before)
