"""One share of an extraction, in a process of its own; prints the processor's seconds that it took.

Arguments: FACES STORE SHARE OF. What it needs is loaded, and has run once, before the clock starts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from facebench.embedding.shards import WorkShare, fill
from facebench.embedding.store import EmbeddingStore
from facebench.embedding.stream import Extraction
from facebench.models.zoo import load_model
from tests.helpers.embedding_toys import Crop, FolderFaces

if __name__ == "__main__":
    folder, store, number, of = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5])
    torch.set_num_threads(1)
    model, source = load_model("mobilenet_v2_half_taylor_60"), FolderFaces(folder)
    keys = sorted(source.keys())
    fill(Extraction(model, source, Crop(), keys[:40], "error", 32, 0), EmbeddingStore(store / "x"),
         None, False)  # fmt: skip
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.process_time()
    job = Extraction(model, source, Crop(), keys, "error", 32, 0)
    fill(job, EmbeddingStore(store), WorkShare(number, of, "the benchmark"), False)
    print(time.process_time() - started, flush=True)
