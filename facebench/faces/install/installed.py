"""What is installed where, for ``facebench data list``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError, nearest
from facebench.base.opening import SETTINGS, read_fields
from facebench.base.storage import cache_folder, data_folder
from facebench.faces.bin.source import BinSource
from facebench.faces.ijb.check import check_ijba, check_ijbc
from facebench.faces.ijb.ijba import SEARCH, VERIFICATION, has_ijba_lists
from facebench.faces.ijb.ijbc import meta_folder
from facebench.faces.images import incomplete
from facebench.faces.install.registry import LFW
from facebench.faces.lfw.folder import LFW_IMAGE_FOLDERS, FlatFolderSource, LfwSource, folder_itself
from facebench.faces.lfw.lists import some
from facebench.faces.lfw.rendered import MARKER
from facebench.faces.locate import DATASETS, SYNTHETIC, installed_at, locate
from facebench.faces.types import ImageError, Progress
from facebench.faces.ytf.check import check_ytf
from facebench.faces.ytf.frames import video_folder


@dataclass(frozen=True)
class Installed:
    """One data set: images named by its list, fingerprint as in records, or why there is none."""

    name: str
    where: Path | None
    images: int | None
    fingerprint: str | None
    note: str = ""


def list_installed() -> list[Installed]:
    """Every data set that is known, installed or not; reads the images for their fingerprints."""
    rows: list[Installed] = []
    for name in DATASETS:
        where = installed_at(name)
        editions = _editions(where) if name == "lfw" and where is not None else [where]
        rows += [_row(name, edition) for edition in editions]
    rows += [_registered(name) for name in REGISTERED]
    for marker in sorted((cache_folder() / SYNTHETIC).glob(f"*/{MARKER}")):
        of_lfw = marker.parent.name.startswith(f"{SYNTHETIC}-lfw-")
        rows.append(
            _row("lfw", marker.parent, "synthetic twin of lfw") if of_lfw else _twin(marker)
        )
    return rows


def _twin(marker: Path) -> Installed:
    """A twin of templates or videos, by its marker: its images were complete when that was made."""
    try:
        images = read_fields(marker, "a marker", "images", limit=SETTINGS)["images"]
    except UserError:
        images = None
    rendering = marker.parent.name
    name = rendering.partition("-v")[0]
    return Installed(name, marker.parent, images, rendering, f"{name.replace('-', ' twin of ', 1)}")


def _registered(name: str) -> Installed:
    """Without its fingerprint: the frames of YouTube Faces alone are 25 GB to read."""
    where, look = unpacked(name), f"facebench data check {name}"
    if where is None:
        note = f"needs a registration ({look}); unpack into {data_folder() / name}"
    elif is_readable(name, where):
        note = f"({look})"
    else:
        note = f"not in the layout of {name} ({look})"
    return Installed(name, where, None, None, note)


def _editions(where: Path) -> list[Path | None]:
    """LFW's folder where it has one edition of the images, or the folder of each."""
    found: list[Path | None] = [where / n for n in LFW_IMAGE_FOLDERS if (where / n).is_dir()]
    return found if len(found) > 1 else [where]


def _row(name: str, where: Path | None, note: str = "") -> Installed:
    if where is None:
        how = "facebench data get lfw" if name == "lfw" else f"{name.replace('-', '_')}.bin"
        return Installed(name, None, None, None, f"not installed ({how})")
    try:
        located = locate(name, where)
    except UserError as error:
        return Installed(name, where, None, None, str(error))
    keys = located.pairs.keys()
    return Installed(located.source.name, where, len(keys), located.source.label(keys), note)


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
CHECKABLE = (*DATASETS, *REGISTERED)


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: whether it is as it should be, and what was found."""

    ok: bool
    text: str


def check_dataset(
    name: str, data: str | Path | None = None, progress: Progress | None = None
) -> list[Finding]:
    """Look at a data set's folder or file (None: what is installed).

    progress: told of images that were read, where there are many. UserError for an unknown name,
    and where there is nothing to look at.
    """
    if name not in CHECKABLE:
        raise UserError(f"no data set {name!r}{nearest(name, CHECKABLE)}")
    if name in REGISTERED:
        folder = unpacked(name) if data is None else Path(data)
        if folder is None:
            raise UserError(
                f"{how_to_unpack(name)}, or: `facebench data check {name} --data FOLDER`"
            )
        if not folder.is_dir():
            raise UserError(f"there is no folder {folder}; check --data")
        folder = folder_itself(folder)
        checks: dict[str, Callable[[Path, Progress | None], Iterator[Finding]]] = {
            "ytf": _ytf,
            "ijba": _ijba,
            "ijbb": _ijbb,
            "ijbc": _ijbc,
        }
        return list(checks[name](folder, progress))
    return list(_verification(name, data))


def unpacked(name: str) -> Path | None:
    """Where a set that needs a registration was unpacked in the data folder, or None: nowhere."""
    folder = data_folder() / name
    return folder if folder.is_dir() else None


def is_readable(name: str, folder: Path) -> bool:
    """Whether a folder has the layout in which the evaluation finds that registered set."""
    if name == "ytf":
        try:
            video_folder(folder)
        except UserError:
            return False
        return True
    if name == "ijba":
        return any(has_ijba_lists(folder, sets) for sets in (VERIFICATION, SEARCH))
    return meta_folder(folder, name) is not None


def how_to_unpack(name: str) -> str:
    """One line about a set that needs a registration: how to get it, and where to put it."""
    return f"{REGISTERED[name]}; unpack into {data_folder() / name}"


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
    broken = [key for key in keys if _is_broken(source, key)]
    shown = some(broken) if broken else "none"
    yield Finding(not broken, f"images that are truncated or cannot be read: {shown}")
    yield Finding(True, f"fingerprint {source.label(located.pairs.keys())}")


def _is_broken(source: LfwSource | FlatFolderSource | BinSource, key: str) -> bool:
    try:
        return incomplete(source.encoded(key)) is not None
    except ImageError:  # a folder, or a link to nothing
        return True


def _ytf(folder: Path, progress: Progress | None) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ytf(folder, progress))


def _ijba(folder: Path, progress: Progress | None) -> Iterator[Finding]:
    if not any((folder / sets).is_dir() for sets in (VERIFICATION, SEARCH)):
        return iter([Finding(False, f"no IJB-A lists here: neither {VERIFICATION}/ nor {SEARCH}/")])
    return (Finding(*found) for found in check_ijba(folder))


def _ijbb(folder: Path, progress: Progress | None) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ijbc(folder, "ijbb"))


def _ijbc(folder: Path, progress: Progress | None) -> Iterator[Finding]:
    return (Finding(*found) for found in check_ijbc(folder, "ijbc"))
