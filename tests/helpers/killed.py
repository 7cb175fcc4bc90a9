"""Kill a command at its file operations, one after the other, and give it again each time.

Argument: a JSON object with ``command`` (a list of words), ``setup`` (a list of such lists),
``every`` (how many operations lie between two kills) and ``folder``. Prints what went wrong, and
how many points there were.

An operation is an opening for writing, a renaming, a removal, a new folder or a flush to disk,
which is torn: half of the bytes are there. Every run is a fork of this process, which has imported
all.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

VOLATILE = ("run", "machine", "seal", "date")
EVENTS = {"os.rename": 1, "os.remove": 0, "os.mkdir": 0, "os.rmdir": 0, "os.chmod": 0}


def forked(act: Callable[[], object]) -> int:
    """The exit code of some action in a fork, or minus the number of the signal that ended it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 99
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        act()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def command(words: list[str]) -> Callable[[], object]:
    from facebench.cli.app import main

    return lambda: main(words)


def die_at(count: int, folder: str) -> None:
    """From here on, the operation of this number in the folder is the last."""
    done, sync = 0, os.fsync

    def operation(path: object) -> bool:
        nonlocal done
        inside = isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(folder)
        done += inside
        return inside and done == count

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        path = arguments[EVENTS[event]] if event in EVENTS else None
        if event == "open" and isinstance(arguments[2], int):
            path = arguments[0] if arguments[2] & (os.O_WRONLY | os.O_RDWR) else None
        if path is not None and operation(path):
            die()

    def torn(handle: int) -> None:
        if operation(os.readlink(f"/proc/self/fd/{handle}")):
            os.truncate(handle, os.fstat(handle).st_size // 2)
            die()
        sync(handle)

    sys.addaudithook(hook)
    os.fsync = torn


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, without the moments at which something was done."""
    return {
        str(path.relative_to(folder)): still(path) for path in folder.rglob("*") if path.is_file()
    }


def still(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix not in (".json", ".jsonl"):
        return data
    lines = data.splitlines() if path.suffix == ".jsonl" else [data]
    values = [json.loads(line) for line in lines]
    kept = [{k: v for k, v in value.items() if k not in VOLATILE} for value in values]
    return json.dumps(kept, sort_keys=True).encode()


def check(setup: list[list[str]], words: list[str], every: int, folder: Path) -> None:
    start, place = folder / "start", folder / "place"
    (start / "work").mkdir(parents=True)

    def afresh(source: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place)
        os.chdir(place / "work")

    os.environ["FACEBENCH_CACHE"] = str(place / "cache")
    afresh(start)
    for own in setup:
        assert forked(command(own)) == 0, own
    shutil.copytree(place, start, dirs_exist_ok=True)
    assert forked(command(words)) == 0
    expected, at = contents(place), 0
    while True:
        afresh(start)
        number = 1 + at * every

        def killed(number: int = number) -> None:
            die_at(number, str(place))
            command(words)()

        if (ended := forked(killed)) != -signal.SIGKILL:
            print(f"{at} points, the last run ended with {ended}")
            return
        again, found = forked(command(words)), contents(place)
        if again or found != expected:
            names = {n for n in {*found, *expected} if found.get(n) != expected.get(n)}
            print(f"killed at operation {number}: exit code {again}, {sorted(names)}")
        at += 1


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    import facebench.cli.commands.eval
    import facebench.evaluation.evaluate  # noqa: F401 - what takes seconds is imported once

    check(told["setup"], told["command"], told["every"], Path(told["folder"]).resolve())
