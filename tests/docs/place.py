"""A folder in which the commands of a page can be run: everything that the pages name, in small."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from tests.docs.pages import CHECKOUT, README, blocks
from tests.helpers.ijb_folders import write_ijba
from tests.helpers.small_lfw import small_lfw
from tests.helpers.training_toys import write_people
from tests.helpers.ytf_folders import write_ytf

MODULE = """
import torch

def make_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(504, 16))
"""
NETS = """
import torch

def mine():
    pool = torch.nn.AdaptiveAvgPool2d(7)
    return torch.nn.Sequential(pool, torch.nn.Flatten(), torch.nn.Linear(147, 16))
"""
SMALL = (
    (r"(?m)^steps = [\d_]+", "steps = 2"),
    (r"(?m)^steps = \[.*\]", "steps = [2, 1]"),
    (r"(?m)^batch = \d+", "batch = 4"),
    (r"(?m)^faces = [\d_]+", "faces = 8"),
    (r"(?m)^warmup = \d+", "warmup = 1"),
    (r"(?m)^views = \d+", "views = 1"),
    (r"(?m)^width = [\d.]+", "width = 0.0625"),
    (r"(?m)^precision = .*", 'precision = "float32"'),
)
STEPS = 3  # of a plan
TOLD_APART = 360  # people of FACES: about half are like faces of LFW, 150 are held out


def make_place(folder: Path, page: str) -> None:
    """Write what pages name into a folder: ``home`` in it is the home, ``here`` the working one."""
    here, home = folder / "here", folder / "home"
    here.mkdir()
    small_lfw(home / "lfw")
    points = "107 107 147 111 124 143 103 157 139 161"
    images = sorted(path.name for path in (home / "lfw").rglob("*.jpg"))
    rows = [f"{name[:-9]}/{name} {points}\n" for name in images]
    (home / "lfw" / "landmarks.txt").write_text("".join(rows))
    (here / "lfw").symlink_to(home / "lfw")
    for name in ("FOLDER", "my_people"):
        write_people(here / name, people=12)
    (home / "crops").symlink_to(here / "FOLDER")
    if "FACES" in page:
        _indexed(here / "FACES")
    for name in ("mobilefacenet.onnx", "model.onnx"):
        if name in page:
            _network(here / name)
    (here / "mypackage").mkdir()
    (here / "mypackage" / "models.py").write_text(MODULE)
    _embeddings(home / "lfw" / "lfw", here)
    _staff(here)
    if "photos" in page:
        _photos(here / "photos")
    if "distractors crowd" in page:
        write_people(here / "crowd", people=3)
    if "old.csv" in page:
        _scores(here)
    (here / "faces").symlink_to(here / "staff")
    _runs(here / "runs")
    _checkpoints(here)
    for block in [*blocks(README.read_text(encoding="utf-8"), "toml"), *blocks(page, "toml")]:
        named = re.match(r"# (\w+\.toml)\n", block)
        if named:
            (here / named[1]).write_text(block)
        elif block.startswith("rules = "):
            (here / "gates.toml").write_text(block)
        elif "kind = " in block:
            (here / "protocols").mkdir(exist_ok=True)
            name = re.search(r'name = "(\w+)"', block)
            assert name
            (here / "protocols" / f"{name[1]}.toml").write_text(block)


def install_small(folder: Path) -> None:
    """LFW, YouTube Faces and IJB-A as if they were installed, where $FACEBENCH_DATA is."""
    small_lfw(folder / "lfw")
    write_ytf(folder / "ytf")
    write_ijba(folder / "ijba", splits=10)


def shorten(models: Path) -> None:
    """Recipes and plans of the working directory: the shipped ones', with few steps."""
    for path in [*(CHECKOUT / "models/recipes").rglob("*.toml"), *_plans()]:
        text = path.read_text(encoding="utf-8")
        for long, short in SMALL:
            text = re.sub(long, short, text)
        text = "[[step]]".join(text.split("[[step]]")[: 1 + STEPS])
        written = models / path.relative_to(CHECKOUT / "models")
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text)


def _plans() -> list[Path]:
    return sorted((CHECKOUT / "models/plans").glob("*.toml"))


def _runs(folder: Path) -> None:
    """Records of three networks on LFW, by cosine, as in the checkout."""
    kept = CHECKOUT / "reports" / "results" / "lfw" / "lfw-0aba83afd81d11d9"
    folder = folder / kept.name
    folder.mkdir(parents=True)
    for path in kept.glob("*.json"):
        of_three = re.match(r"(baseline|sparse_0(74|12))-", path.name)
        if of_three and "|similarity:cosine|" in path.read_text(encoding="utf-8"):
            for one in kept.glob(f"{path.stem}.*"):
                shutil.copy(one, folder)
    for path in kept.glob("comparisons-*"):
        shutil.copy(path, folder)


def _checkpoints(folder: Path) -> None:
    """The code of a network and three files of its weights: one alone, and a sweep of two."""
    (folder / "nets.py").write_text(NETS)
    for seed, name in enumerate(("ckpt.pt", "runs/s00/ckpt.pt", "runs/s50/ckpt.pt")):
        torch.manual_seed(seed)
        layer = nn.Linear(147, 16)
        (folder / name).parent.mkdir(exist_ok=True)
        torch.save({"2.weight": layer.weight.data, "2.bias": layer.bias.data}, folder / name)


def _network(path: Path) -> None:
    """An ONNX file of a network that embeds a face and its mirror image alike."""

    class Even(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(3 * 7 * 7, 128, bias=False)

        def forward(self, faces: Tensor) -> Tensor:
            small = torch.nn.functional.avg_pool2d(faces, 16)
            even = (small + small.flip(3)).flatten(1)
            out: Tensor = self.linear(even - even.mean(1, keepdim=True))
            return out

    torch.onnx.export(
        Even(), (torch.zeros(2, 3, 112, 112),), str(path), dynamo=False,
        input_names=["input"], output_names=["embedding"],
        dynamic_axes={"input": {0: "n"}, "embedding": {0: "n"}},
    )  # fmt: skip


def _indexed(folder: Path) -> None:
    """Crops in a zip file with their index, of the source ``fiw``, two of each person."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    rows = ["file,source,identity,warp_scale,detector_score"]
    with zipfile.ZipFile(folder / "fiw.zip", "w") as packed:
        for number in range(2 * TOLD_APART):
            small = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
            face = cv2.resize(small, (112, 128), interpolation=cv2.INTER_CUBIC)
            packed.writestr(f"fiw/{number:05d}.jpg", cv2.imencode(".jpg", face)[1].tobytes())
            rows.append(f"fiw/{number:05d}.jpg,fiw,{number // 2},1.0,0.9")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")


def _embeddings(images: Path, here: Path) -> None:
    """mine.npy and names.txt of a folder's images."""
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    rows = np.random.default_rng(2).normal(size=(len(names), 8)).astype(np.float32)
    np.save(here / "mine.npy", rows)
    (here / "names.txt").write_text("\n".join(names) + "\n")


def _photos(folder: Path) -> None:
    """A folder for each of 16 people, with one to four images of any names."""
    rng = np.random.default_rng(4)
    for person in range(16):
        name = f"Person {person:02d}"
        (folder / name).mkdir(parents=True)
        small = rng.integers(0, 255, (6, 6, 3)).astype(np.float64)
        for number in range(1 + person % 4):
            face = np.clip(small + rng.normal(0, 30, small.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"IMG {number}.jpg"), cv2.resize(face, (112, 112)))


def _scores(here: Path) -> None:
    """Tables of scores of two systems, of the same pairs."""
    rng = np.random.default_rng(5)
    for name in ("old", "new"):
        rows = ["image_a,image_b,same,fold,subject_a,subject_b,score"]
        for person in range(40):
            one, two = f"p{person}", f"p{person ^ 1}"
            for other, same in ((one, 1), (two, 0)):
                score = rng.normal(2 * same, 1)
                pair = f"{one}/1.jpg,{other}/2.jpg,{same},{1 + person // 2 % 4}"
                rows.append(f"{pair},{one},{other},{score:.3f}")
        (here / f"{name}.csv").write_text("\n".join(rows) + "\n")


def _staff(here: Path) -> None:
    """Twenty people in folders of their own, all images side by side, and a list of 2 folds."""
    people = [f"Person_{letter}" for letter in "ABCDEFGHIJKLMNOPQRST"]
    lines = ["2\t10"]
    rng = np.random.default_rng(3)
    (here / "flat").mkdir()
    for number, name in enumerate(people):
        (here / "staff" / name).mkdir(parents=True)
        for image in (1, 2, 3):
            small = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
            path = here / "staff" / name / f"{name}_{image:04d}.jpg"
            cv2.imwrite(str(path), cv2.resize(small, (250, 250)))
            shutil.copy(path, here / "flat")
        if number % 10 == 9:
            fold = people[number - 9 : number + 1]
            lines += [f"{one}\t1\t2" for one in fold]
            lines += [f"{a}\t1\t{b}\t2" for a, b in zip(fold, fold[1:] + fold[:1], strict=True)]
    (here / "staff" / "pairs.txt").write_text("\n".join(lines) + "\n")
    (here / "pairs.txt").write_text("\n".join(lines) + "\n")
