"""Small folders in exactly the layouts of IJB-A and IJB-C, for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEADER = [
    "TEMPLATE_ID",
    "SUBJECT_ID",
    "FILE",
    "MEDIA_ID",
    "SIGHTING_ID",
    "FRAME",
    "FACE_X",
    "FACE_Y",
    "FACE_WIDTH",
    "FACE_HEIGHT",
    "RIGHT_EYE_X",
    "RIGHT_EYE_Y",
    "LEFT_EYE_X",
    "LEFT_EYE_Y",
    "NOSE_BASE_X",
    "NOSE_BASE_Y",
    "FACE_YAW",
    "FOREHEAD_VISIBLE",
    "EYES_VISIBLE",
    "NOSE_MOUTH_VISIBLE",
    "INDOOR",
    "GENDER",
    "SKIN_TONE",
    "AGE",
    "FACIAL_HAIR",
]

# (template, subject, file, medium, frame, box); the photograph img/2.jpg shows two people.
ROWS = (
    (10, 1, "img/1.jpg", 101, "", (10, 12, 20, 24)),
    (10, 1, "frame/7_1.png", 107, "1", (5, 6, 22, 22)),
    (10, 1, "frame/7_2.png", 107, "2", (6, 6, 22, 22)),
    (11, 1, "img/2.jpg", 102, "", (4, 4, 20, 20)),
    (20, 2, "img/2.jpg", 102, "", (40, 8, 18, 20)),
    (21, 2, "img/3.jpg", 103, "", (8, 8, 20, 20)),
    (30, 3, "img/4.jpg", 104, "", (9, 9, 20, 20)),
    (31, 3, "img/5.jpg", 105, "", (9, 9, 20, 20)),
)
COMPARISONS = ((10, 11), (20, 21), (30, 31), (10, 20), (10, 21), (11, 30), (20, 30), (21, 31))
GALLERY = (ROWS[0], ROWS[5])
PROBES = (ROWS[3], ROWS[4], ROWS[6], ROWS[7])


def metadata(rows=ROWS, header=HEADER) -> str:
    """A list with all official columns, in the order of ``header``."""
    lines = [",".join(header)]
    for number, (template, subject, file, medium, frame, box) in enumerate(rows):
        values = {
            "TEMPLATE_ID": template,
            "SUBJECT_ID": subject,
            "FILE": file,
            "MEDIA_ID": medium,
            "SIGHTING_ID": 900 + number,
            "FRAME": frame,
            "AGE": 3,
            **dict(zip(("FACE_X", "FACE_Y", "FACE_WIDTH", "FACE_HEIGHT"), box, strict=True)),
        }
        lines.append(",".join(str(values.get(name, "")) for name in header))
    return "\n".join(lines) + "\n"


def write_ijba(folder: Path, splits: int = 2, images: bool = True) -> Path:
    """IJB-A's folder: 1:1 and 1:N lists, and images of 64×80 below ``images/``."""
    for number in range(1, splits + 1):
        one, many = (folder / f"IJB-A_{kind}_sets" / f"split{number}" for kind in ("11", "1N"))
        texts = {
            one / f"train_{number}.csv": metadata(),
            one / f"verify_metadata_{number}.csv": metadata(),
            one / f"verify_comparisons_{number}.csv": "".join(f"{a},{b}\n" for a, b in COMPARISONS),
            many / f"train_{number}.csv": metadata(),
            many / f"search_gallery_{number}.csv": metadata(GALLERY),
            many / f"search_probe_{number}.csv": metadata(PROBES),
        }
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for file in {row[2] for row in ROWS} if images else ():
        write_image(folder / "images" / file)
    return folder


def write_image(path: Path, height: int = 64, width: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(path.name.encode()))
    small = rng.integers(0, 255, (8, 10, 3), np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())


FACES = (("1.jpg", 5, 50), ("2.jpg", 5, 51), ("3.jpg", 9, 52), ("4.jpg", 12, 53), ("5.jpg", 12, 53))
PAIRS = ((5, 9, 1), (5, 12, 0), (9, 12, 0))


def write_ijbc(folder: Path, dataset: str = "ijbc", images: bool = True) -> Path:
    """IJB-C's folder in the form that circulates; 5 faces of 3 templates."""
    meta = folder / "meta"
    meta.mkdir(parents=True)
    points = "30.3 51.7 65.5 51.5 48.0 71.7 33.5 92.4 62.7 92.2"
    lines = {
        "face_tid_mid": [f"{file} {template} {medium}" for file, template, medium in FACES],
        "template_pair_label": [f"{a} {b} {label}" for a, b, label in PAIRS],
        "name_5pts_score": [f"{row[0]} {points} 0.9{row[0][0]}" for row in FACES],
    }
    for name, rows in lines.items():
        (meta / f"{dataset}_{name}.txt").write_text("\n".join(rows) + "\n")
    for file, _, _ in FACES if images else ():
        write_image(folder / "loose_crop" / file, 112, 112)
    return folder


def write_galleries(folder: Path, dataset: str = "ijbc", people: int = 8) -> Path:
    """IJB-B's or IJB-C's 1:N folder in the form that circulates: half of the people in either
    gallery, with one template of two images; two probes of everybody, the first of two images.
    """
    names = ("S1", "S2") if dataset == "ijbb" else ("G1", "G2")
    meta = folder / dataset.upper() / "meta"
    meta.mkdir(parents=True)
    heading = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT"
    points = "30.3 51.7 65.5 51.5 48.0 71.7 33.5 92.4 62.7 92.2"
    lists: dict[str, list[str]] = {names[0]: [], names[1]: [], "probe": []}
    faces = []
    for person in range(people):
        gallery = names[person >= people // 2]
        for template, to, images in (
            (3 * person + 1, gallery, 2), (3 * person + 2, "probe", 2), (3 * person + 3, "probe", 1)
        ):  # fmt: skip
            for number in range(images):
                file = f"{1000 * person + 10 * template + number}.jpg"
                faces.append((file, template, 100 * template + number))
                # The lists name the photograph, and the list of faces its crop.
                row = f"{template},{500 + person},img/{file},7,1,2,30,30"
                lists[to].append(row)
    files = {
        f"{dataset}_face_tid_mid.txt": [" ".join(map(str, face)) for face in faces],
        f"{dataset}_name_5pts_score.txt": [f"{file} {points} 0.9" for file, *_ in faces],
        f"{dataset}_1N_probe_mixed.csv": [heading, *lists["probe"]],
        **{f"{dataset}_1N_gallery_{name}.csv": [heading, *lists[name]] for name in names},
    }
    for name, rows in files.items():
        (meta / name).write_text("\n".join(rows) + "\n")
    for file, *_ in faces:
        write_image(meta.parent / "loose_crop" / file, 112, 112)
    return folder
