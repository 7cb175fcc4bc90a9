"""The pictures of README and docs, from the committed records: ``python docs/make/pictures.py``.

``zoo.png`` is the history of the zoo on LFW; ``report.png`` is a page of ``facebench report`` as
Chromium shows it, and stays as it is where there is no Chromium.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import facebench

ASSETS = Path(__file__).parents[1] / "assets"
RECORDS = Path(__file__).parents[2] / "reports" / "results" / "lfw" / "lfw-0aba83afd81d11d9"
ZOO = (
    *("baseline", "sparse_096", "sparse_076", "sparse_074", "sparse_043"),
    *("sparse_026", "sparse_018", "sparse_014", "sparse_012"),
)


def main() -> None:
    """Write both pictures."""
    with tempfile.TemporaryDirectory() as made:
        zoo_picture(ASSETS / "zoo.png", Path(made))
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
