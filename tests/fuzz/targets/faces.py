"""Lists of faces: who is compared with whom, where the points of a face are, markers, ``.bin``."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from facebench.faces.align.aligners import LandmarkAligner
from facebench.faces.bin.source import BinSource
from facebench.faces.ijb.galleries import read_galleries
from facebench.faces.ijb.ijba import read_face_rows, read_ijba_search, read_ijba_verification
from facebench.faces.ijb.ijbc import read_face_points, read_ijbc, read_number_rows
from facebench.faces.install.download import unpack_tar
from facebench.faces.install.installed import _twin, check_dataset
from facebench.faces.lfw.lists import read_pairs, read_people
from facebench.faces.lfw.rendered import MARKER, kind_of, marked_as, rendering_of
from facebench.faces.ytf.lists import read_boxes, read_splits
from facebench.protocols.kinds.search_lists import _names_in
from tests.fuzz.mutations import bytes_changed, json_changed, lines_changed
from tests.fuzz.target import Files, Target
from tests.helpers.ijb_folders import write_ijba

PAIRS = (
    b"2\t2\nA_B\t1\t4\nC\t1\t3\nA_B\t1\tD_E\t1\nC\t1\tF\t2\n"
    b"G\t1\t2\nH\t1\t3\nG\t1\tI\t1\nH\t2\tG\t2\n"
)
PEOPLE = b"2\n2\nA_B\t3\nC\t1\n1\nD_E\t2\n"
LANDMARKS = (
    b"A/A_0001.jpg\t104\t112\t148\t117\t129\t134\t95\t152\t148\t158\n"
    b"B/B_0001.jpg\t107\t107\t147\t111\t124\t143\t103\t157\t139\t161\n"
    b"B/B_0002.jpg\t98\t110\t146\t116\t122\t138\t93\t158\t138\t163\n"
)
SPLITS = (
    b"split,pair,first name,second name,is same\n1,1,A_B/0,A_B/1,1\n1,2,A_B/0,C/1,0\n"
    b"2,1,D/0,D/2,1\n2,2,D/0,C/1,0\n"
)
BOXES = b"A\\0\\0.1.jpg,0,100,100,50,50,0,0\nA\\0\\0.2.jpg,0,101.5,100,50,50,0,0\n"
IJBA = (
    b"TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,SIGHTING_ID,FRAME,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
    b"1,10,img/1.jpg,5,1,0,1,2,30,40\n2,10,img/2.jpg,6,1,0,1,2,30,40\n"
    b'3,11,"img/3.jpg",7,1,0,1,2,30,40\n4,12,frame/4_1.jpg,8,1,1,1,2,30,40\n'
)
POINTS = b"1.jpg 1 2 3 4 5 6 7 8 9 10 0.9\n2.jpg 11 2 3 4 5 6 7 8 9 10 0.8\n"
FACES_OF_TEMPLATES = b"1.jpg 1 5\n2.jpg 2 6\n3.jpg 3 7\n4.jpg 1 8\n"
COMPARISONS = b"1 2 1\n1 3 0\n2 3 0\n"


def _list(
    name: str, file: str, data: bytes, read: Callable[[Path], object], separator: str = "\t"
) -> Target:
    """A target of one list in one file."""
    return Target(
        name,
        lambda rng: {file: lines_changed(rng, data, separator)},
        lambda folder: read(folder / file),
    )


def _pairs(path: Path) -> None:
    pairs = read_pairs(path)
    assert pairs.folds and pairs.keys() and pairs.people()
    kind_of(pairs, str(path))


def _people(path: Path) -> None:
    for person in read_people(path):
        if person.images < 1000:
            person.keys()


def _landmarks(path: Path) -> None:
    aligner = LandmarkAligner.from_file(path)
    image = np.full((250, 250, 3), 7, np.uint8)
    for key in list(aligner.landmarks)[:3]:
        face = aligner(key, image, (112, 96))
        assert face is None or face.shape == (112, 96, 3)


def _splits(path: Path) -> None:
    splits = read_splits(path)
    assert splits.videos() and splits.people()


def _number_rows(path: Path) -> None:
    rows = read_number_rows(path, 3, "three numbers")
    assert rows.dtype == np.int32 and rows.shape[1] == 3


def _ijbc(rng: Random) -> Files:
    pairs = COMPARISONS if rng.random() < 0.5 else lines_changed(rng, COMPARISONS, " ")
    return {
        "meta/ijbc_face_tid_mid.txt": lines_changed(rng, FACES_OF_TEMPLATES, " "),
        "meta/ijbc_template_pair_label.txt": pairs,
    }


def _galleries(rng: Random) -> Files:
    """Any of the four lists is damaged; the others are whole."""
    files = {
        "face_tid_mid.txt": b"1.jpg 1 5\n2.jpg 2 6\n3.jpg 3 7\n4.jpg 4 8\n5.jpg 5 9\n6.jpg 5 9\n",
        "1N_gallery_G1.csv": b"TEMPLATE_ID,SUBJECT_ID,FILENAME\n1,10,img/1.jpg\n",
        "1N_gallery_G2.csv": b"TEMPLATE_ID,SUBJECT_ID,FILENAME\n2,11,img/2.jpg\n",
        "1N_probe_mixed.csv": b"TEMPLATE_ID,SUBJECT_ID,FILENAME\n3,10,img/3.jpg\n4,11,img/4.jpg\n"
        b"5,12,frames/5.jpg\n5,12,frames/6.jpg\n",
    }
    name = rng.choice(sorted(files))
    files[name] = lines_changed(rng, files[name], "," if name.endswith("csv") else " ")
    return {f"meta/ijbc_{name}": data for name, data in files.items()}


@lru_cache(maxsize=1)
def _ijba_lists() -> Files:
    with TemporaryDirectory() as folder:
        write_ijba(Path(folder), images=False)
        found = Path(folder).rglob("*.csv")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _ijba_sets(rng: Random) -> Files:
    files = dict(_ijba_lists())
    name = rng.choice(sorted(files))
    return files | {name: lines_changed(rng, files[name], ",")}


def _read_ijba(folder: Path) -> None:
    read_ijba_verification(folder, 2)
    read_ijba_search(folder, 2)


def _marker(rng: Random) -> Files:
    marks = (
        {"fingerprint": "synthetic-lfw-v1-s0", "images": 7},
        {"fingerprint": "synthetic-\n<b>", "images": 7},
        {"fingerprint": ["synthetic-"]},
    )
    return {MARKER: json_changed(rng, rng.choice(marks))}


def _read_marker(folder: Path) -> None:
    marked_as(folder)
    rendering_of(folder)
    _twin(folder / MARKER)


def _checked_folder(rng: Random) -> Files:
    image = b"\xff\xd8\xff\xe0\0\x04xx\xff\xd9"
    names = ("A_B/A_B_0001", "A_B/A_B_0004", "C/C_0001", "C/C_0003", "D_E/D_E_0001", "F/F_0002")
    files = {f"lfw/{name}.jpg": bytes_changed(rng, image) for name in names}
    files["pairs.txt"] = lines_changed(rng, PAIRS) if rng.random() < 0.5 else PAIRS
    if rng.random() < 0.3:
        files[rng.choice(sorted(files))] = rng.choice((b"", b"version https://git-lfs"))
    return files


def plain_pickle(rng: Random, protocol: int) -> bytes:
    """A small ``.bin`` file, as mxnet's tools and numpy write them."""
    image, count = b"\xff\xd8abc", 10
    images: list[object] = [image] * (2 * count)
    if rng.random() < 0.5:
        images = [np.frombuffer(image, np.uint8) for _ in images]
    labels: object = [True, False] * (count // 2)
    if rng.random() < 0.5:
        labels = np.array(labels)
    return pickle.dumps((images, labels), protocol)


_CODES = (
    *(b"(", b"0", b"1", b"2", b"N", b"\x88", b"\x89", b"]", b")", b"}", b"a", b"e", b"l", b"t"),
    *(b"\x85", b"\x86", b"\x87", b"R", b"b", b"\x94", b"\x93", b"u", b"s", b"\x8f", b"\x90"),
    *(b"\x91", b"o", b"\x81", b"\x92", b"Q", b"d", b"q\x01", b"h\x01", b"K\x05", b"p0\n", b"g0\n"),
    *(b"g1\n", b"g-1\n", b"\x80\x04", b"\x80\xff", b"U\x03abc", b"C\x02xy", b"\x8c\x02hi"),
    *(b"X\x02\0\0\0hi", b"B\x02\0\0\0xy", b"S'abc'\n", b"Vabc\n", b"T\x01\0\0\0a", b"I1\n"),
    *(b"I01\n", b"L5L\n", b"J\xff\xff\xff\xff", b"M\1\1", b"\x8a\x01\x05", b"\x8b\x01\0\0\0\x05"),
    *(b"I" + b"9" * 5000 + b"\n", b"G?\xf0\0\0\0\0\0\0", b"F1.5\n", b"cos\nsystem\n"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"),
    *(b"cnumpy.core.multiarray\nscalar\n", b"cnumpy._core.numeric\n_frombuffer\n"),
    *(b"c_codecs\nencode\n", b"cbuiltins\nbytes\n", b"cbuiltins\neval\n"),
)


class _Called:
    """What a pickle would call, were it unpickled."""

    def __init__(self, call: tuple[object, ...]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


def _bin(rng: Random) -> Files:
    protocol, drawn = rng.randrange(6), rng.random()
    if drawn < 0.45:
        return {"lfw.bin": bytes_changed(rng, plain_pickle(rng, protocol))}
    if drawn < 0.9:
        long = (b"\x8e", b"\x8d", b"\x96", b"\x95")
        codes = [
            rng.choice(_CODES)
            if rng.random() < 0.93
            else rng.choice(long) + struct.pack("<Q", rng.choice((0, 1, 2**31, 2**63, 2**64 - 1)))
            for _ in range(rng.choice((3, 8, 20, 60)))
        ]
        return {"lfw.bin": b"\x80" + bytes([protocol]) + b"".join(codes) + b"."}
    calls = ((os.system, ("false",)), (print, ("called",)), (bytearray, (2**33,)))
    called = _Called(rng.choice(calls))
    held = (called, ([called] * 20, [True] * 10), ([b"a"] * 20, [called] * 10))
    return {"lfw.bin": pickle.dumps(rng.choice(held), protocol)}


def _read_bin(folder: Path) -> None:
    source = BinSource(folder / "lfw.bin")
    source.pairs()
    source.fingerprint(source.keys())


def _tar(rng: Random) -> Files:
    out = io.BytesIO()
    mode = rng.choice(("w:gz", "w", "w:bz2", "w:xz"))
    form = rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    names = (
        *("lfw/A/A_0001.jpg", "../../../../tmp/x", "/tmp/x", "lfw/../../x", "lfw", "lfw/A"),
        *("a\\..\\b", "./lfw/./x", "lfw/" + "y" * 80, "\u202e", "lfw/A/\x01", "~/x", "lfw//z"),
        *(".", "..", "lfw/link/f"),
    )
    kinds = (tarfile.REGTYPE,) * 6 + (
        *(tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE),
    )
    with tarfile.open(fileobj=out, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for _ in range(rng.choice((0, 1, 3, 6))):
            info = tarfile.TarInfo(rng.choice(names))
            info.type, info.mode = rng.choice(kinds), rng.choice((0o644, 0o4777, 0, 0o777))
            info.linkname = rng.choice(("", "/etc/passwd", "../../..", "lfw"))
            data = b"x" * rng.choice((0, 5, 1000)) if info.isreg() else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = out.getvalue()
    if data[:2] == b"\x1f\x8b":  # gzip writes down when
        data = data[:4] + b"\0\0\0\0" + data[8:]
    return {"lfw.tgz": bytes_changed(rng, data) if rng.random() < 0.5 else data}


def _unpack(folder: Path) -> None:
    unpack_tar(folder / "lfw.tgz", folder / "unpacked")
    for path in (folder / "unpacked").rglob("*"):
        assert not path.is_symlink() and not path.stat().st_mode & 0o6000, path


TARGETS = (
    _list("pairs", "pairs.txt", PAIRS, _pairs),
    _list("people", "people.txt", PEOPLE, _people),
    _list("landmarks", "landmarks.txt", LANDMARKS, _landmarks),
    _list("splits of videos", "splits.txt", SPLITS, _splits, ","),
    _list("boxes of videos", "A.labeled_faces.txt", BOXES, lambda path: read_boxes(path, "A"), ","),
    _list("faces of templates", "metadata.csv", IJBA, read_face_rows, ","),
    _list("points of faces", "points.txt", POINTS, read_face_points, " "),
    _list("rows of numbers", "rows.txt", COMPARISONS, _number_rows, " "),
    _list("subjects", "subjects.txt", b"# who\nA_B\nC\nD_E\n", _names_in, "_"),
    Target("IJB-A's lists", _ijba_sets, _read_ijba),
    Target("IJB-C's lists", _ijbc, lambda folder: read_ijbc(folder / "meta", "ijbc")),
    Target("IJB-C's galleries", _galleries, lambda folder: read_galleries(folder / "meta", "ijbc")),
    Target("markers", _marker, _read_marker, 0.5),
    Target("data check", _checked_folder, lambda folder: check_dataset("lfw", folder), 0.5),
    Target(".bin files", _bin, _read_bin, 1.5),
    Target("tar archives", _tar, _unpack),
)
