"""Every command that README, docs and the help print is run, or stands in lighter.toml."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from facebench.cli.app import main
from tests.docs.lighter import COMMANDS, PAGES_APART, Lighter
from tests.docs.pages import PAGES, examples, name_of, shown
from tests.docs.place import install_small, make_place, shorten
from tests.docs.test_pages import parse

LONG = ("train", "prune", "compress", "distill", "bench", "paper", "ensemble_5", "--groups")
CHECKS = ("facebench gate", "facebench data check", "facebench doctor", "facebench compress")
VERDICTS = (0, 1, 3)  # of a check: each is right where the text does not say which
SHELL = frozenset("$*;|><&")
LIGHTER = {one.command: one for one in COMMANDS}
CASES = {name_of(page): list(shown(page)) for page in PAGES} | {"help": list(examples())}


def takes_long(page: str) -> bool:
    """Whether a page has commands that take long, even on small data."""
    run = [one for one in map(entry_of, (c.command for c in CASES[page])) if not one.parsed]
    return page not in PAGES_APART and any(
        f" {long} " in one.command for one in run for long in LONG
    )


def entry_of(command: str) -> Lighter:
    """What the list says of a command: that it is run as it stands, if nothing."""
    return LIGHTER.get(command, Lighter(command=command, reason=""))


def test_the_list_has_what_pages_print_and_nothing_twice() -> None:
    printed = {one.command for commands in CASES.values() for one in commands}
    assert not sorted(set(LIGHTER) - printed)
    assert len(LIGHTER) == len(COMMANDS)
    assert set(PAGES_APART) <= set(CASES)


def read(command: str) -> None:
    """Raises where a command of facebench, or an option of it, is not known."""
    program, *words = shlex.split(command)
    if program == "facebench":
        parse(words)


class Place:
    """A home, a working directory and the state of the one who types a page's commands there."""

    def __init__(self, folder: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
        make_place(folder, page)
        self.folder, self.here, self.monkeypatch = folder, folder / "here", monkeypatch
        monkeypatch.chdir(self.here)
        monkeypatch.setenv("HOME", str(folder / "home"))
        monkeypatch.setenv("FACEBENCH_CACHE", str(folder / "cache"))
        monkeypatch.setenv("COLUMNS", "96")
        monkeypatch.delitem(sys.modules, "mypackage.models", raising=False)
        monkeypatch.delitem(sys.modules, "mypackage", raising=False)

    def type(self, command: str) -> None:
        """Run a command as it stands, or as lighter.toml says; AssertionError: it fails."""
        entry = entry_of(command)
        if entry.parsed:
            read(command)
            return
        self.monkeypatch.setenv("FACEBENCH_DATA", str(self.folder / ("sets" if entry.data else "")))
        if entry.data and not (self.folder / "sets").exists():
            install_small(self.folder / "sets")
        if entry.recipes:
            shorten(self.here / "models")
        for one in entry.before:
            self.type(one)
        code = self._run(command, entry.adds)
        assert code in (VERDICTS if command.startswith(CHECKS) else (0,)), command

    def _run(self, command: str, adds: str) -> int:
        if SHELL & set(command) or not command.startswith("facebench "):
            return self._shell(command, adds)
        words = shlex.split(f"{command} {adds}")
        with pytest.raises(SystemExit) as ended:
            main([os.path.expanduser(word) for word in words[1:]])
        return int(ended.value.code or 0)

    def _shell(self, command: str, adds: str) -> int:
        program = self.folder / "bin" / "facebench"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m facebench "$@" {adds}\n')
        program.chmod(0o755)
        path = f"{program.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(["bash", "-c", command], env={**os.environ, "PATH": path}).returncode


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:tests.docs.place"
)
@pytest.mark.shipped_results
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if takes_long(page) else ())
        for page, commands in CASES.items()
        if commands
    ],
)
def test_the_commands_run_as_they_are_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if page in PAGES_APART or all(entry_of(one.command).parsed for one in CASES[page]):
        for one in CASES[page]:
            read(one.command)
        return
    typed = [(*entry_of(one.command).before, one.command) for one in CASES[page]]
    listed = " ".join(" ".join(words) for words in typed)
    text = next((p.read_text(encoding="utf-8") for p in PAGES if name_of(p) == page), listed)
    place = Place(tmp_path, text, monkeypatch)
    for one in CASES[page]:
        with capfd.disabled():
            print(one.where, one.command, flush=True) if os.environ.get("SHOW") else None
        place.type(one.command)
