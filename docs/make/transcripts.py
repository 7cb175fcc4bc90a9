"""What commands print, in README and docs, written from the commands themselves.

A transcript stands between comments, and its command needs nothing but the committed records::

    <!-- transcript data: -->
    ```console
    $ facebench compare baseline sparse_074 -p lfw
    ```
    <!-- end -->

The words after ``transcript`` are in the last line that is shown; three dots follow it.
``python docs/make/transcripts.py README.md`` writes the output below every command again.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PLACE = re.compile(
    r"(<!-- transcript ?(?P<last>.*?) ?-->\s+```console\n)(?P<shown>.*?)(```\s+<!-- end -->)", re.S
)
COLUMNS = "96"


def renewed(text: str) -> str:
    """The page with all its transcripts as the commands print them now."""
    return PLACE.sub(lambda found: f"{found[1]}{_block(found)}{found[4]}", text)


def _block(found: re.Match[str]) -> str:
    commands = [line for line in found["shown"].splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{_cut(printed(line[2:]), found['last'])}" for line in commands)


def printed(command: str) -> str:
    """What a command of facebench prints, without spaces at the ends of lines."""
    words = shlex.split(command)
    ended = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, "COLUMNS": COLUMNS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    return "".join(f"{line.rstrip()}\n" for line in ended.stdout.splitlines())


def _cut(text: str, last: str) -> str:
    lines = text.splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if last and last in line]
    return "".join([*lines[: ends[0] + 1], "...\n"]) if ends else text


def main(paths: Sequence[str]) -> None:
    """Write the pages again."""
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        new = renewed(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"{path}: renewed")


if __name__ == "__main__":
    main(sys.argv[1:])
