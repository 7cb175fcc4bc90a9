"""Renews the transcripts of docs/pruning-in-ci.md: runs its commands and writes what they print.

``python docs/pruning-in-ci/renew.py`` (``make example``) runs every ``$`` line of the page, in its
order, in a folder of its own with a cache of its own, and puts the output below it in place of the
old one; summary.md and history.png are renewed with them. It takes some minutes of one core.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = Path(__file__).parent
PAGE = FILES.parent / "pruning-in-ci.md"
DAMAGED = FILES.parents[1] / "tests" / "helpers" / "damaged"
COPIED = (".toml", ".py", ".ini")
CONSOLE = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
SUMMARY = re.compile(r"(?<=```markdown\n).*?(?=```)", re.DOTALL)
COLUMNS = "110"


class Shell:
    """Runs a page's commands in one folder; ``echo $?`` tells how the one before ended."""

    def __init__(self, folder: Path) -> None:
        programs = Path(sys.executable).parent
        self.folder, self.code = folder, 0
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "FACEBENCH_CACHE": str(folder / "cache"),
            "COLUMNS": COLUMNS,
        }

    def printed(self, command: str) -> str:
        """What a command prints, standard error included, without spaces at the ends of lines."""
        if command == "echo $?":
            return f"{self.code}\n"
        print(f"$ {command}", flush=True)
        ended = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.code = ended.returncode
        return "".join(f"{line.rstrip()}\n" for line in ended.stdout.splitlines())

    def block(self, text: str) -> str:
        """A console block with its commands' output of now."""
        commands = [line for line in text.splitlines() if line.startswith("$ ")]
        return "".join(f"{line}\n{self.printed(line[2:])}" for line in commands)


def renew(folder: Path) -> None:
    """Write the page and its picture again from one run in an empty folder."""
    for path in FILES.iterdir():
        if path.suffix in COPIED and path != Path(__file__):
            shutil.copy(path, folder)
    shutil.copytree(DAMAGED, folder / DAMAGED.name)
    shell = Shell(folder)
    text = CONSOLE.sub(lambda found: shell.block(found[0]), PAGE.read_text(encoding="utf-8"))
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    PAGE.write_text(SUMMARY.sub(lambda _: f"{summary.rstrip()}\n", text), encoding="utf-8")
    shutil.copy(folder / "history.png", FILES)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        renew(Path(made))
