"""One extraction in a process of its own.

Arguments: FACES STORE OUT WORKERS [DIE_AT]

DIE_AT: the process kills itself in place of the DIE_AT-th renaming of a finished file.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

from facebench.embedding.extract import extract
from facebench.embedding.store import EmbeddingStore
from tests.helpers.embedding_toys import Crop, FolderFaces, Linear


def die_at(count: int) -> None:
    rename, calls = os.replace, iter(range(1, 1000))

    def replace(source: str, target: str) -> None:
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)

    os.replace = replace  # type: ignore[assignment]


if __name__ == "__main__":
    source, store = FolderFaces(Path(sys.argv[1])), EmbeddingStore(Path(sys.argv[2]))
    if len(sys.argv) > 5:
        die_at(int(sys.argv[5]))
    print("started", flush=True)
    model, workers = Linear(0.02), int(sys.argv[4])
    result = extract(
        model, source, source.keys(), Crop(), workers=workers, store=store, progress=False
    )
    np.save(sys.argv[3], result.vectors)
