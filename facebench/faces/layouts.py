"""Do the folders of a data set look as they should? For ``facebench data check``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facebench.errors import UserError, nearest
from facebench.faces.binfile import BinSource
from facebench.faces.decoding import incomplete
from facebench.faces.folder import FlatFolderSource, LfwSource
from facebench.faces.ijb_check import check_ijba, check_ijbc
from facebench.faces.lists import some
from facebench.faces.locate import DATASETS, locate
from facebench.faces.registry import LFW
from facebench.faces.ytf_lists import read_splits

REGISTERED = {
    "ytf": "YouTube Faces needs a registration: ask Wolf, Hassner and Maoz for it at "
    "https://www.cs.tau.ac.il/~wolf/ytfaces/ and unpack it so that one folder holds "
    "frame_images_DB/ or aligned_images_DB/ and splits.txt",
    "ijba": "IJB-A needs a signed agreement: see NIST's page of face challenges, "
    "https://www.nist.gov/programs-projects/face-challenges, and unpack it so that one folder "
    "holds IJB-A_11_sets/, IJB-A_1N_sets/ and the images (img/, frame/)",
    "ijbb": "IJB-B needs a signed agreement: see NIST's page of face challenges, "
    "https://www.nist.gov/programs-projects/face-challenges; facebench reads the form in which it "
    "circulates: one folder that holds meta/ (ijbb_face_tid_mid.txt, ijbb_template_pair_label.txt, "
    "ijbb_name_5pts_score.txt) and loose_crop/",
    "ijbc": "IJB-C needs a signed agreement: see NIST's page of face challenges, "
    "https://www.nist.gov/programs-projects/face-challenges; facebench reads the form in which it "
    "circulates: one folder that holds meta/ (ijbc_face_tid_mid.txt, ijbc_template_pair_label.txt, "
    "ijbc_name_5pts_score.txt) and loose_crop/",
}
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
CHECKABLE = (*DATASETS, *REGISTERED)
YTF_FOLDERS = ("frame_images_DB", "aligned_images_DB")
YTF_VIDEOS, YTF_PEOPLE, YTF_PAIRS = 3_425, 1_595, 5_000


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: whether it is as it should be, and what was found."""

    ok: bool
    text: str


def check_dataset(name: str, data: str | Path | None = None) -> list[Finding]:
    """Look at a data set's folder or file (None: what is installed).

    UserError for an unknown name, and where there is nothing to look at.
    """
    if name not in CHECKABLE:
        raise UserError(f"no data set {name!r}{nearest(name, CHECKABLE)}")
    if name in REGISTERED:
        if data is None:
            raise UserError(f"{REGISTERED[name]}; then: facebench data check {name} --data FOLDER")
        if not Path(data).is_dir():
            raise UserError(f"there is no folder {data}; check --data")
        checks: dict[str, Callable[[Path], Iterator[Finding]]] = {
            "ytf": _ytf,
            "ijba": _ijba,
            "ijbb": _ijbb,
            "ijbc": _ijbc,
        }
        return list(checks[name](Path(data)))
    return list(_verification(name, data))


def _verification(name: str, data: str | Path | None) -> Iterator[Finding]:
    located = locate(name, data)
    source, keys = located.source, located.source.keys()
    if located.notice is not None:
        yield Finding(source.kind == "synthetic", located.notice)
    yield Finding(True, f"{len(located.pairs)} pairs in {located.pairs.folds} folds")
    assert isinstance(source, LfwSource | FlatFolderSource | BinSource)
    if not isinstance(source, BinSource):
        people = len({key.split("/")[0] for key in keys})
        whole = source.kind == "synthetic" or (len(keys), people) == (LFW.images, LFW.people)
        expected = "" if whole else f" (all of LFW: {LFW.images} of {LFW.people})"
        yield Finding(whole, f"{len(keys)} images of {people} people{expected}")
        missing = source.missing(located.pairs.keys())
        absent = some(missing) if missing else "none"
        yield Finding(not missing, f"images of the pairs that are absent: {absent}")
    else:
        yield Finding(True, f"{len(keys)} images")
    broken = [key for key in keys if incomplete(source.encoded(key))]
    yield Finding(not broken, f"images that are truncated: {some(broken) if broken else 'none'}")
    yield Finding(True, f"fingerprint {source.label(located.pairs.keys())}")


def _ytf(folder: Path) -> Iterator[Finding]:
    """``frame_images_DB/Person/video/video.frame.jpg`` and ``splits.txt`` (Wolf et al. 2011)."""
    found = [name for name in YTF_FOLDERS if (folder / name).is_dir()]
    yield Finding(bool(found), f"folders of frames: {', '.join(found) or 'none'}")
    there: set[str] = set()
    for name in found:
        videos = [video for video in sorted((folder / name).glob("*/*")) if video.is_dir()]
        people = len({video.parent.name for video in videos})
        whole = (len(videos), people) == (YTF_VIDEOS, YTF_PEOPLE)
        expected = f"(complete: {YTF_VIDEOS} of {YTF_PEOPLE})"
        yield Finding(whole, f"{name}: {len(videos)} videos of {people} people {expected}")
        empty = [f"{v.parent.name}/{v.name}" for v in videos if not _has_images(v)]
        yield Finding(not empty, f"{name}: videos without a frame: {some(empty)}")
        there |= {f"{v.parent.name}/{v.name}" for v in videos}
    yield from _ytf_splits(folder / "splits.txt", there)


def _ytf_splits(path: Path, there: set[str]) -> Iterator[Finding]:
    if not path.is_file():
        yield Finding(False, "splits.txt cannot be read")
        return
    try:
        pairs = read_splits(path)
    except UserError as error:  # as the evaluation would refuse it
        yield Finding(False, str(error))
        return
    whole = len(pairs) == YTF_PAIRS
    yield Finding(whole, f"splits.txt: {len(pairs)} pairs (complete: {YTF_PAIRS})")
    absent = [video for video in pairs.videos() if video not in there]
    yield Finding(not absent, f"videos of the pairs that are absent: {some(absent)}")


def _has_images(folder: Path) -> bool:
    return any(file.suffix.lower() in IMAGE_SUFFIXES for file in folder.iterdir())


def _ijba(folder: Path) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ijba(folder))


def _ijbb(folder: Path) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ijbc(folder, "ijbb"))


def _ijbc(folder: Path) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ijbc(folder, "ijbc"))
