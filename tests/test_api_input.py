"""What is plainly wrong from Python: one line that names the argument and a right value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import facebench
from facebench import UserError

SCORES, MATED = [0.1, 0.2, 0.3, 0.4], [1, 0, 1, 0]
RULES = ["lfw.accuracy >= 0.9"]
Call = Callable[[Any], object]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda f: f.history(None), "records is None; it must be one or several, such as 'rec"),
        (lambda f: f.history([3]), "records is 3; it must be like a folder, or a list of Record"),
        (lambda f: f.history([], statistic=3), "statistic is 3; it must be like 'accuracy'"),
        (lambda f: f.history([], reference=3), "reference is 3; it must be like 'baseline'"),
        (lambda f: f.evaluate("m", "lfw", name=3), "name is 3; it must be a text, such as 'mine'"),
        (lambda f: f.evaluate("m", "lfw", name=" "), "name is ' '; it must be a text"),
        (lambda f: f.evaluate("m", None), "protocol is None; it must be like 'lfw'"),
        (lambda f: f.evaluate("m", "lfw", 3), "data is 3; it must be like 'data/lfw'"),
        (lambda f: f.evaluate("m", "lfw", options={}), "options is {}; it must be like facebench"),
        (lambda f: f.evaluate_many({3: "m"}, "lfw"), "name is 3; it must be a text"),
        (lambda f: f.evaluate_many([], "lfw", on_record=3), "on_record is 3; it must be a funct"),
        (lambda f: f.evaluate_many([], "lfw", embeddings=3), "embeddings is 3; it must be one or"),
        (lambda f: f.evaluate_many([], "lfw", embeddings=("a", "b")), "embeddings has 'a'; it"),
        (lambda f: f.evaluate_many([], "lfw", embeddings=[(1, "b")]), "embeddings is 1; it must"),
        (lambda f: f.load_model("m", options={}), "options is {}; it must be like facebench.Model"),
        (lambda f: f.load_model(abs, f.ModelOptions(size=(8, 8)), name=3), "name is 3; it must be"),
        (lambda f: f.load_model("m", True), "options is True; it must be like facebench.Model"),
        (lambda f: f.bench("m", stage=3), "stage is 3; it must be a function, or left out"),
        (lambda f: f.bench("m", threads=20_000), "threads=20000: must be from 1 to 1,024"),
        (lambda f: f.bench("m", seconds=float("nan")), "seconds='nan': must be from 0 to 1"),
        (lambda f: f.Settings(threads=20_000), "threads is 20000; it must be at most 1024"),
        (lambda f: f.Settings(threads=0), "threads is 0; it must be at least 1"),
        (lambda f: f.compare("m", "n", level="a"), "level is 'a'; it must be like 0.95"),
        (lambda f: f.compare("m", "n", protocol=3), "protocol is 3; it must be like 'lfw'"),
        (lambda f: f.compare("m", "n", similarity=3), "similarity is 3; it must be like 'cosine'"),
        (lambda f: f.judge("m", RULES, protocol=3), "protocol is 3; it must be one or several"),
        (lambda f: f.judge("m", RULES, model=3), "model is 3; it must be like 'sparse_074'"),
        (lambda f: f.report("compare", similarity=3), "similarity is 3; it must be like 'cosine'"),
        (lambda f: f.read_record(None), "path is None; it must be like 'records/lfw.json'"),
        (lambda f: f.identification(np.eye(3), [*"abc"], [*"abc"], ranks=3), "ranks is 3; give a"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_line(call: Call, line: str) -> None:
    with pytest.raises(UserError) as caught:
        call(facebench)
    said = str(caught.value)
    assert line in said and "\n" not in said and "--" not in said
