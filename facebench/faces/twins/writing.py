"""Writing a twin: markers at its start and end, files complete or not at all, taken up anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from facebench.base.storage import sweep, write_atomically
from facebench.faces.synthetic.pool import TaskT, pooled
from facebench.faces.types import Progress

_COMPLETE, _STARTED = "COMPLETE.json", "INCOMPLETE.json"


def write_twin(
    folder: Path,
    stamp: Mapping[str, object],
    work: Callable[[TaskT], int],
    tasks: Iterable[TaskT],
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
    text = json.dumps(stamp, indent=1).encode()
    write_atomically(started, text)
    done = 0
    for count in pooled(work, tasks, workers):
        done += count
        if progress is not None:
            progress(done, total)
    for name, lines in lists.items():
        write_atomically(folder / name, lines.encode())
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sweep(place)  # of runs that were killed; another that lives may still write
    write_atomically(complete, text)
    started.unlink(missing_ok=True)  # another run, which wrote the same files, may have ended first


def _stamped(marker: Path) -> object:
    """What a marker says, or None: it is not there, or another run has just removed it."""
    try:
        return json.loads(marker.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):  # another's, or damaged
        return {}


def whole(path: Path) -> bool:
    """Whether a JPEG file is there to its end; a power cut may leave an empty one."""
    try:
        with path.open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read() == b"\xff\xd9"
    except OSError:
        return False


def write(path: Path, data: bytes) -> None:
    """Write an image, complete or not at all; one that a power cut emptied is not `whole`."""
    write_atomically(path, data, durable=False)
