"""Small folders in exactly the layouts in which hard and grouped sets of faces are published."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

FOLDS = 10


def image(path: Path, person: str, number: int) -> None:
    """A face of its own colours, with noise: a network of pixels tells people apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(person, number, path.suffix))


def encoded(person: str, number: int, suffix: str = ".jpg") -> bytes:
    seed = [*person.encode()]
    own = np.random.default_rng(seed).integers(0, 255, (5, 5, 3)).astype(np.float64)
    own += np.random.default_rng([*seed, number]).normal(0, 60, own.shape)
    face = cv2.resize(np.clip(own, 0, 255).astype(np.uint8), (112, 112))
    done: bytes = cv2.imencode(suffix, face)[1].tobytes()
    return done


def people(prefix: str = "P") -> list[list[str]]:
    """Two people for every fold."""
    return [[f"{prefix}{fold:02d}_A", f"{prefix}{fold:02d}_B"] for fold in range(FOLDS)]


def _lfw_rows(prefix: str) -> Iterator[str]:
    """Of each fold two mated and two non-mated pairs."""
    for a, b in people(prefix):
        yield from (f"{a}\t1\t2", f"{b}\t1\t2", f"{a}\t1\t{b}\t1", f"{b}\t2\t{a}\t2")


def _lfw_images(folder: Path, prefix: str) -> None:
    for name in (name for fold in people(prefix) for name in fold):
        for number in (1, 2):
            image(folder / name / f"{name}_{number:04d}.jpg", name, number)


def write_xqlfw(folder: Path) -> None:
    _lfw_images(folder / "lfw_original_imgs_min_qual0.85variant11", "X")
    rows = "\n".join(_lfw_rows("X"))
    (folder / "xqlfw_pairs.txt").write_text(f"{FOLDS}\t2\n{rows}\n")


def write_sllfw(folder: Path) -> None:
    _lfw_images(folder / "lfw", "S")
    rows = []
    for a, b in people("S"):
        for one, i, two, j in ((a, 1, a, 2), (b, 1, b, 2), (a, 1, b, 1), (b, 2, a, 2)):
            rows += [f"{one}/{one}_{i:04d}.jpg", f"{two}/{two}_{j:04d}.jpg"]
    (folder / "pair_SLLFW.txt").write_text("\n".join(rows) + "\n")


def _side_by_side(folder: Path, digits: int) -> dict[bool, list[tuple[str, str]]]:
    """Images without people's folders, and their mated and other pairs."""
    pairs: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for a, b in people("C"):
        files = {(name, n): f"{name}_{n:0{digits}d}.jpg" for name in (a, b) for n in (1, 2)}
        for (name, n), file in files.items():
            image(folder / file, name, n)
        pairs[True] += [(files[a, 1], files[a, 2]), (files[b, 1], files[b, 2])]
        pairs[False] += [(files[a, 1], files[b, 1]), (files[b, 2], files[a, 2])]
    return pairs


def write_calfw(folder: Path, name: str = "CALFW", digits: int = 4) -> None:
    """CALFW and, with one digit, CPLFW: all mated pairs, then all others."""
    pairs = _side_by_side(folder / "aligned images", digits)
    rows = [f"{file} {int(same)}" for same in (True, False) for p in pairs[same] for file in p]
    (folder / f"pairs_{name}.txt").write_text("\n".join(rows) + "\n")


def write_mlfw(folder: Path) -> None:
    pairs = _side_by_side(folder / "aligned", 4)
    rows = [f"{a}\t{b}\t{int(same)}" for same in (True, False) for a, b in pairs[same]]
    (folder / "pairs.txt").write_text("\n".join(rows) + "\n")


def write_rfw(folder: Path) -> None:
    for group in ("African", "Asian", "Caucasian", "Indian"):
        _lfw_images(folder / "data" / group, f"m.{group[:2]}")
        path = folder / "txts" / group / f"{group}_pairs.txt"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(_lfw_rows(f"m.{group[:2]}")) + "\n")


def write_bfw(folder: Path, images: str = "bfw-cropped-aligned") -> None:
    heading = "fold,p1,p2,label,id1,id2,att1,att2,vgg16,a1,a2,g1,g2,e1,e2"
    rows = [heading]
    for fold in range(1, 6):
        for group, short in (("asian_females", "AF"), ("white_males", "WM")):
            names = [f"n{fold:03d}{short}{n}" for n in range(2)]
            files = {n: [f"{group}/{n}/{i:04d}_01.jpg" for i in (1, 2)] for n in names}
            for name, paths in files.items():
                for number, file in enumerate(paths):
                    image(folder / images / file, name, number)
            tail = (
                f"{group},{group},0.5,{short},{short},{short[1]},{short[1]},{short[0]},{short[0]}"
            )
            ids = [10 * fold + (short == "WM") * 2 + n for n in range(2)]
            a, b = (files[name] for name in names)
            for left, right, one, two in (
                (a[0], a[1], ids[0], ids[0]), (b[0], b[1], ids[1], ids[1]),
                (a[0], b[0], ids[0], ids[1]), (a[1], b[1], ids[0], ids[1]),
            ):  # fmt: skip
                rows.append(f"{fold},{left},{right},{int(one == two)},{one},{two},{tail}")
    (folder / "bfw-v0.1.5-datatable.csv").write_text("\n".join(rows) + "\n")


def write_bin(path: Path) -> None:
    """Two images for each of 40 labels, mated and non-mated by turns."""
    images, labels = [], []
    for pair in range(40):
        labels.append(pair % 2 == 0)
        right = f"b{pair}" if pair % 2 == 0 else f"c{pair}"
        images += [encoded(f"b{pair}", 1), encoded(right, 2)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps((images, labels)))
