"""Writing a twin: markers at its start and end, files complete or not at all, taken up anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from facebench.faces.synthetic.pool import Progress, Task, pooled

_COMPLETE, _STARTED = "COMPLETE.json", "INCOMPLETE.json"


def write_twin(
    folder: Path,
    stamp: Mapping[str, object],
    work: Callable[[Task], int],
    tasks: Iterable[Task],
    lists: Mapping[str, str],
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Do all tasks, each of which writes some images and tells how many, then write the lists.

    stamp: what the markers say, with ``fingerprint`` and the number of ``images``; lists: texts by
    file name. A folder that holds this twin already is left as it is. ValueError if it holds
    another; OSError from the disk.
    """
    total = int(str(stamp["images"]))
    complete, started = folder / _COMPLETE, folder / _STARTED
    for marker in (complete, started):
        if _stamped(marker) not in (None, stamp):
            raise ValueError(
                f"{folder} holds another synthetic twin ({marker.name} differs from "
                f"{stamp['fingerprint']}); choose an empty folder"
            )
    if complete.exists():
        if progress is not None:
            progress(total, total)
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(stamp, indent=1).encode()
    write(started, text, sync=True)
    done = 0
    for count in pooled(work, tasks, workers):
        done += count
        if progress is not None:
            progress(done, total)
    for name, lines in lists.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(folder / name, lines.encode(), sync=True)
    _remove_strays(folder)
    write(complete, text, sync=True)
    started.unlink(missing_ok=True)  # another run, which wrote the same files, may have ended first


def _stamped(marker: Path) -> object:
    """What a marker says, or None: it is not there, or another run has just removed it."""
    try:
        return json.loads(marker.read_bytes())
    except FileNotFoundError:
        return None


def whole(path: Path) -> bool:
    """Whether a JPEG file is there to its end; a power cut may leave an empty one."""
    try:
        with path.open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read() == b"\xff\xd9"
    except OSError:
        return False


def write(path: Path, data: bytes, sync: bool = False) -> None:
    """Write a file so that it appears complete or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _remove_strays(folder: Path) -> None:
    """Remove what processes that were killed had begun; another that lives may still write."""
    for stray in folder.rglob(".*.part"):
        number = stray.name.split(".")[-2]
        if not (number.isdecimal() and _lives(int(number))):
            stray.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
