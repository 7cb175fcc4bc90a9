from __future__ import annotations

import pytest

from facebench.protocols.prepared import refused


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ten_fold_accuracy: there is one fold", "there is one fold"),
        ("roc: scores is empty", "scores is empty"),
        ("facenet-grid: score 3 is not a cosine", "facenet-grid: score 3 is not a cosine"),
        ("FAR target 2 is not a share", "FAR target 2 is not a share"),
        ("level is 2; note: ten_fold: not", "level is 2; note: ten_fold: not"),
    ],
)
def test_the_function_is_left_out_and_nothing_else(said: str, told: str) -> None:
    assert str(refused("mine", ValueError(said))) == f"protocol mine: {told}"
