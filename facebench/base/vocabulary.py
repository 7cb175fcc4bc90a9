"""Words and bounds that all rooms share; light, so that commands can show them in --help."""

from __future__ import annotations

from typing import Literal

SYNTHETIC_LABEL = "SYNTHETIC FACES (rendered, not photographs)"


# Of a bootstrap. It works in blocks, so that draws cost time, not memory: on 6,000 pairs 100,000
# take half a minute, and p-values are then told to 0.00002.
MOST_DRAWS = 100_000
# Of fewer, none is what happens in 5 of 100, and an interval tells nothing.
FEWEST_DRAWS = 20
# More cores than machines have; the C library ends the program where it can start no more.
MOST_THREADS = 1024
# By which a folder is known as a site of records, and may be replaced.
SITE_MARK = "facebench-site.json"
# How protocols and data sets are called.
NAME_PATTERN, LONGEST_NAME = r"^[a-z0-9][a-z0-9_.-]*$", 64

Along = Literal["kept", "bytes", "multiply-adds", "date", "run"]
"""What runs of a history are drawn along; ``kept``: parameters; ``run``: its number, from 1."""
