"""One file from a server through pooch: checked against its hash, continued where it stopped."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pooch
import requests
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from facebench.errors import UserError
from facebench.faces.registry import RemoteFile

_ATTEMPTS = 3
_BLOCK = 1 << 18
_TIMEOUT = (20, 60)  # seconds to connect, and between two pieces


def fetch(file: RemoteFile, folder: Path, *, progress: bool = True) -> Path:
    """Path of the file in ``folder``, which has its hash; downloaded where it is not there yet.

    An interrupted download leaves ``<name>.part``, which the next call continues. UserError where
    the server cannot be reached, or what it gives has another hash.
    """
    logging.getLogger("pooch").setLevel(logging.ERROR)
    pooch.get_logger().setLevel("ERROR")
    try:
        path = pooch.retrieve(
            file.url,
            f"sha256:{file.sha256}",
            fname=file.filename,
            path=folder,
            downloader=_Continuing(folder / f"{file.filename}.part", file.filename, progress),
        )
    except requests.RequestException as error:
        raise UserError(
            f"cannot download {file.filename} from {file.url} ({_short(error)}); check the network "
            "and run the command again, which continues where it stopped"
        ) from error
    except ValueError as error:
        raise UserError(
            f"what {file.url} gives is not {file.filename}: its SHA-256 is not {file.sha256}; "
            "nothing was installed"
        ) from error
    return Path(path)


class _Continuing:
    """A downloader for pooch that keeps its part and asks the server for the rest."""

    def __init__(self, part: Path, name: str, progress: bool) -> None:
        self.part, self.name, self.progress = part, name, progress

    def __call__(self, url: str, output_file: str, pooch_object: object) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                self._rest(url)
                break
            except (
                requests.ConnectionError,
                requests.Timeout,
                requests.exceptions.ChunkedEncodingError,
            ):
                if attempt == _ATTEMPTS - 1 or not self.part.exists():
                    raise
        os.replace(self.part, output_file)

    def _rest(self, url: str) -> None:
        have = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        # Without identity a server may compress, and the part's length would mean nothing.
        headers["Accept-Encoding"] = "identity"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if have and answer.status_code == requests.codes.requested_range_not_satisfiable:
                return  # the part is all there is; its hash decides
            answer.raise_for_status()
            if answer.status_code != requests.codes.partial_content:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with self._bar() as bar, self.part.open("ab" if have else "wb") as file:
                task = bar.add_task(self.name, total=total, completed=have)
                for block in answer.iter_content(_BLOCK):
                    file.write(block)
                    bar.advance(task, len(block))

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not self.progress,
        )


def _short(error: requests.RequestException) -> str:
    answer = error.response
    if answer is not None:
        return f"HTTP status {answer.status_code}"
    return "no answer" if isinstance(error, requests.Timeout) else "no connection"
