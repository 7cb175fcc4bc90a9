"""What a shell is told when a name is completed: by the variables that it sets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# What is typed, and of what is offered some that are there, and all if these are all.
TYPED = {
    "facebench his": (["history"], True),
    "facebench eval -m sparse_07": (["sparse_074", "sparse_074_int8", "sparse_076"], True),
    "facebench eval -m baseline -p lfw-": (["lfw-all-pairs", "lfw-closed", "lfw-open"], True),
    "facebench compare sparse_074 bas": (["baseline", "baseline_int8"], True),
    "facebench models show ensemble_": (["ensemble_25", "ensemble_5"], True),
    "facebench protocols show ijbb-": (["ijbb-search"], True),
    "facebench report pap": (["paper"], True),
    "facebench report ta": (["table1", "taylor"], False),
    "facebench gate mobilef": (["mobilefacenet"], True),
    "facebench train resnet50_q": (["resnet50_quarter"], False),
    "facebench history runs --x ": (["kept", "bytes", "multiply-adds", "date", "run"], True),
}
_PROGRAM = """
import contextlib, io, json, os, sys
from facebench.cli.app import main
answers = {}
for typed, variables in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main([])
    answers[typed] = out.getvalue()
print(json.dumps([answers, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def answered(variables: dict[str, dict[str, str]]) -> tuple[dict[str, str], set[str]]:
    """What a process answers, and the packages that it has imported."""
    found = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(variables)],
        cwd=CHECKOUT, env=dict(os.environ), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answers, packages = json.loads(found.stdout)
    return answers, set(packages)


def test_names_are_completed_without_torch() -> None:
    typed = {
        words: {
            "_FACEBENCH_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        }
        for words in TYPED
    }
    answers, packages = answered(typed)
    for words, (names, every) in TYPED.items():
        offered = answers[words].split()
        assert sorted(names) == sorted(offered) if every else set(names) <= set(offered), words
    assert not packages & {"torch", "matplotlib", "sklearn", "pandas"}


def test_other_shells_ask_otherwise() -> None:
    words = {"_TYPER_COMPLETE_ARGS": "facebench report pap"}
    answers, _ = answered(
        {
            "zsh": {"_FACEBENCH_COMPLETE": "complete_zsh", **words},
            "fish": {
                "_FACEBENCH_COMPLETE": "complete_fish",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
                **words,
            },
        }
    )
    assert '"paper"' in answers["zsh"] and answers["fish"].split() == ["paper"]
