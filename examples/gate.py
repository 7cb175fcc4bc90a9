"""A gate in Python: may the smaller network replace the larger one?

Run: python examples/gate.py. It needs no faces: the records of both networks come with facebench.
"""

from __future__ import annotations

import sys

import facebench

RULES = [
    "lfw.accuracy drop <= 1pt at 95%",
    "lfw.accuracy drop <= 0.5pt at 95%",
    "bytes <= 0.75 of baseline",
]
CODES = {"pass": 0, "fail": 1, "undecided": 3}


def main() -> int:
    """Print a line for every rule; the exit code is that of ``facebench gate``."""
    result = facebench.judge("sparse_074", RULES, baseline="baseline", protocol="lfw")
    for verdict in result.verdicts:
        print(f"{verdict.outcome:10} {verdict.line}")
    return CODES[result.outcome]


if __name__ == "__main__":
    sys.exit(main())
