"""From nothing to a two-step sparse model on synthetic identities, killed on the way (issue 3)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facebench.models.cards.card import read_card
from facebench.models.cards.trained import packed_weights

SHORT = Path(__file__).parents[2] / "models" / "recipes" / "short.toml"
TEN_MINUTES = 600
PLAN = """
width = {width}
recipe = "own.toml"
[baseline]
model = "dense"
[data]
sources = ["synthetic"]
[[step]]
model = "sparse_1"
layer = "f"
keep = "1/16"
[[step]]
model = "sparse_2"
layer = "5b"
keep = "1/8"
"""


def own_recipe(train: int, retrain: int, batch: int) -> str:
    text = SHORT.read_text()
    for old, new in (
        ("steps = 7000", f"steps = {train}"),
        ("steps = 1500", f"steps = {retrain}"),
        ("batch = 64", f"batch = {batch}"),
        ("checkpoint_every = 250", "checkpoint_every = 10"),
        ("rate = 1.5e-3", "rate = 3e-3"),
        ('precision = "auto"', 'precision = "float32"'),  # the same bytes, whatever is measured
    ):
        assert old in text
        text = text.replace(old, new)
    return text


class Laboratory:
    """A working directory in which ``facebench prune plan.toml`` runs as a process of its own."""

    def __init__(self, folder: Path, width: float, recipe: str, *options: str) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "own.toml").write_text(recipe)
        (folder / "plan.toml").write_text(PLAN.format(width=width))
        self.command = [sys.executable, "-m", "facebench", "prune", "plan.toml", "-q", *options]
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        self.environment = {**os.environ, "PYTHONPATH": path}

    def killed_when(self, sign: str, seconds: float = 300) -> None:
        """Start, wait until a file of the work folder (a pattern) is there, and kill -9."""
        process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment)
        try:
            end = time.monotonic() + seconds
            while not any((self.folder / "training").glob(sign)):
                assert process.poll() is None, "it ended before it could be killed"
                assert time.monotonic() < end, f"no {sign}"
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def finish(self, seconds: float = 500) -> None:
        """Run to the end."""
        subprocess.run(
            self.command, cwd=self.folder, env=self.environment, check=True, timeout=seconds
        )

    def weights(self) -> dict[str, bytes]:
        """Every packed file."""
        found = (self.folder / "models" / "weights").glob("*.safetensors")
        return {path.name: path.read_bytes() for path in found}


@pytest.mark.slow
def test_killed_and_continued_is_undisturbed_byte_for_byte(tmp_path: Path) -> None:
    recipe = own_recipe(30, 20, 8)
    options = ("--identities", "12", "--images", "4", "--threads", "1")
    whole = Laboratory(tmp_path / "whole", 0.0625, recipe, *options)
    whole.finish()
    broken = Laboratory(tmp_path / "broken", 0.0625, recipe, *options)
    for sign in ("dense-*/checkpoint.pt", "sparse_1-*/start.pt", "sparse_2-*/checkpoint.pt"):
        broken.killed_when(sign)
    broken.finish()
    assert len(whole.weights()) == 3 and broken.weights() == whole.weights()


@pytest.mark.slow
def test_a_two_step_sparse_model_in_ten_minutes(tmp_path: Path) -> None:
    """Acceptance 1: eighth width, from nothing, through a kill, and it has learned something."""
    started = time.monotonic()
    lab = Laboratory(
        tmp_path / "lab", 0.125, own_recipe(120, 40, 48), "--identities", "60", "--images", "6"
    )
    lab.killed_when("dense-*/checkpoint.pt")
    lab.finish(TEN_MINUTES - (time.monotonic() - started))
    card = read_card(lab.folder / "models" / "sparse_2.toml")
    assert card.parent == "sparse_1" and set(card.degrees) == {"f", "5b"}
    packed = packed_weights(card)
    for name, degree in (("f", 16), ("local5b", 8)):
        mask = packed.masks[name]
        assert abs(int(mask.sum()) - mask.numel() / degree) <= 1
        assert (packed.state[f"{name}.weight"][~mask] == 0).all()
    words = card.notes.split()
    # Chance is one half, less a hundredth for the threshold that is chosen on the same pairs.
    assert float(words[words.index("training") + 1]) < 0.45
    assert float(words[words.index("held-out") + 1]) < 0.47
