"""The main job on rendered faces: the label is in everything that comes out."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from facebench.cli.app import main
from facebench.faces.twins import lfw as twin
from tests.helpers.plots import texts_of

TINY = """
import numpy as np
from tests.helpers.plots import texts_of

def make():
    return lambda faces: faces[:, ::8, ::8].reshape(len(faces), -1).astype(np.float32) - 100
"""
LABEL = "SYNTHETIC FACES"


@pytest.fixture
def small_twin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A twin of noise in the place where the rendered one would be: rendering takes minutes."""
    fingerprint = twin.twin_fingerprint(0)
    folder = Path(os.environ["FACEBENCH_CACHE"]) / "synthetic" / fingerprint
    rng = np.random.default_rng(0)
    names = [twin.twin_name(number) for number in range(1, 9)]
    for name in names:
        (folder / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            face = rng.integers(0, 255, (128, 112, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / "lfw" / name / f"{name}_{number:04d}.jpg"), face)
    lines = ["2\t4"]
    for fold in (0, 4):
        own = names[fold : fold + 4]
        lines += [f"{name}\t1\t2" for name in own]
        lines += [f"{own[i]}\t1\t{own[(i + 1) % 4]}\t2" for i in range(4)]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    (folder / "COMPLETE.json").write_text(json.dumps({"fingerprint": fingerprint}))
    work = tmp_path / "work"
    work.mkdir()
    (work / "tiny_twin.py").write_text(TINY)
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(work))
    return folder


def evaluate(capfd: pytest.CaptureFixture[str], *more: str) -> tuple[str, str]:
    arguments = ["eval", "-m", "tiny_twin:make", "--size", "112x96", "-p", "lfw"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--workers", "0", "--draws", "20", *more])
    assert not caught.value.code
    captured = capfd.readouterr()
    return captured.out, " ".join(captured.err.replace("┃", " ").split())


@pytest.mark.parametrize("format", ["table", "md", "html", "csv", "json"])
def test_without_data_the_twin_is_used_and_said_everywhere(
    small_twin: Path, capfd: pytest.CaptureFixture[str], format: str
) -> None:
    out, err = evaluate(capfd, "--format", format, "--quiet")
    assert LABEL in err and "no LFW images are installed" in err  # however quiet
    assert LABEL in out
    if format == "csv":
        (line,) = csv.DictReader(io.StringIO(out))
        assert line["data_kind"] == "synthetic" and line["notice"].startswith(LABEL)
    if format == "json":
        (record,) = json.loads(out)
        assert record["data"]["kind"] == "synthetic"
        assert record["data"]["notice"].startswith(LABEL)
        # Noise is not what the renderer gives, so its contents stand beside the name.
        assert f"|data:{twin.twin_fingerprint(0)}+" in record["signature"]


def test_named_outright_it_is_still_labelled(
    small_twin: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, err = evaluate(capfd, "--data", "synthetic", "--plot", "roc.svg")
    assert LABEL in err and LABEL in out
    assert LABEL in texts_of(Path("roc.svg"))


def test_rendered_faces_in_a_folder_of_any_name_are_known(
    small_twin: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "photographs"
    small_twin.rename(elsewhere)
    out, _ = evaluate(capfd, "--data", str(elsewhere), "--format", "json")
    assert json.loads(out)[0]["data"]["kind"] == "synthetic"


def test_embeddings_of_rendered_faces_are_known_by_their_names(
    small_twin: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    keys = sorted(str(p.relative_to(small_twin / "lfw")) for p in small_twin.rglob("*.jpg"))
    np.save("e.npy", np.random.default_rng(0).normal(size=(len(keys), 8)))
    Path("n.txt").write_text("\n".join(keys))
    arguments = ["eval", "--embeddings", "e.npy", "--names", "n.txt", "-p", "lfw", "--draws", "0"]
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--pairs", str(small_twin / "pairs.txt"), "--format", "json"])
    assert not caught.value.code
    (record,) = json.loads(capfd.readouterr().out)
    assert record["data"]["kind"] == "synthetic"
    assert record["data"]["fingerprint"] == "synthetic-lfw-unseen"
