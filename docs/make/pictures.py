"""The pictures of README and docs, from the committed records: ``python docs/make/pictures.py``.

``zoo.png`` is the history of the zoo on LFW; ``degraded.png`` five networks on LFW at fewer pixels;
``worst.png`` whom a sparse network hurts most, of
rendered faces; ``report.png`` is a page of ``facebench report`` as
Chromium shows it, and stays as it is where there is no Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import facebench

ASSETS = Path(__file__).parents[1] / "assets"
RESULTS = Path(__file__).parents[2] / "reports" / "results" / "lfw"
RECORDS, RENDERED = RESULTS / "lfw-0aba83afd81d11d9", RESULTS / "synthetic-lfw-v1-s0"
ZOO = (
    *("baseline", "sparse_096", "sparse_076", "sparse_074", "sparse_043"),
    *("sparse_026", "sparse_018", "sparse_014", "sparse_012"),
)

DEGRADED = ("mobilefacenet", "baseline", "sparse_074", "sparse_012", "squeezenet1_1")


def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as made:
        zoo_picture(ASSETS / "zoo.png", Path(made))
        degraded_picture(ASSETS / "degraded.png")
        worst_picture(ASSETS / "worst.png")
        if browser := shutil.which("chromium") or shutil.which("chromium-browser"):
            _report_picture(ASSETS / "report.png", Path(made), browser)


def zoo_picture(path: Path, folder: Path) -> None:
    """Accuracy of the zoo by cosine over kept parameters; folder: for copies of the records."""
    records = folder / "zoo"
    records.mkdir()
    for file in (file for name in ZOO for file in RECORDS.glob(f"{name}-*.json")):
        if json.loads(file.read_text(encoding="utf-8"))["similarity"] == "cosine":
            facebench.save_record(facebench.read_record(file), records)
    _facebench("history", str(records), "--plot", str(path))


def degraded_picture(path: Path) -> None:
    """Accuracy over rows of pixels by cosine, of the models whose records are there."""
    folders = ("lfw", "lfw+56px", "lfw+28px", "lfw+14px", "lfw+7px")
    files = [
        file
        for model in DEGRADED
        for name in folders
        for file in sorted((RESULTS.parent / name / RECORDS.name).glob(f"{model}-*.json"))
        if json.loads(file.read_text(encoding="utf-8"))["similarity"] == "cosine"
    ]
    facebench.degradation([facebench.read_record(file) for file in files], path)


def worst_picture(path: Path) -> None:
    """Six rendered people whom ``sparse_012`` hurts most; the faces are rendered where the cache
    has none.
    """
    words = ("worst", "baseline", "sparse_012", "-p", "lfw", "--records", str(RENDERED))
    _facebench(*words, "--data", "synthetic", "-n", "6", "--sheet", str(path))
    Image.open(path).quantize(192).save(path, optimize=True)  # a third of the bytes


def _report_picture(path: Path, folder: Path, browser: str) -> None:
    words = ("report", "run", "baseline", "sparse_074", "-p", "lfw", "--format", "html")
    _facebench(*words, "--output-dir", str(folder / "page"))
    (page,) = (folder / "page").glob("*.html")
    window = ("--window-size=1340,960", "--hide-scrollbars", "--force-device-scale-factor=1")
    shot = ("--headless", "--no-sandbox", "--disable-gpu", *window, f"--screenshot={path}")
    subprocess.run([browser, *shot, page.as_uri()], check=True, capture_output=True)


def _facebench(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "facebench", *words], check=True, capture_output=True)


if __name__ == "__main__":
    main()
