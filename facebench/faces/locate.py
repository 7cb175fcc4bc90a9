"""From ``--data`` and a data set's name to images, pairs and landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError, nearest
from facebench.base.storage import cache_folder, data_folder
from facebench.faces.bin.source import BinSource
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource, folder_itself
from facebench.faces.lfw.lists import PairList, read_pairs
from facebench.faces.lfw.rendered import (
    MARKER,
    SyntheticSource,
    kind_of,
    kind_of_people,
    rendering_of,
    require_one_kind,
)
from facebench.faces.twins import lfw as twin
from facebench.faces.types import FaceSource, Progress

AS_BIN_FILES = ("cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw")
DATASETS = ("lfw", *AS_BIN_FILES)
SYNTHETIC = "synthetic"
NO_REAL = "these numbers say nothing about real photographs and are never compared with them."
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".7z", ".rar")
_LIST_HELP = (
    "the official list is pairs.txt of LFW (`facebench data get lfw` installs it, scikit-learn's "
    "fetch_lfw_pairs downloads it); put it beside the images or name it with --pairs"
)


@dataclass(frozen=True)
class LocatedData:
    """Where the faces of an evaluation are, and what is compared.

    ``landmarks``: a ``landmarks.txt`` that lies with the images, or None. ``notice``: what must
    stand in front of every number (synthetic faces), or None. ``aligned``: the images are crops
    of aligned faces already.
    """

    source: FaceSource
    folder: Path
    pairs: PairList
    landmarks: Path | None
    notice: str | None
    aligned: bool = False

    def keys(self) -> list[str]:
        """The images that are compared, sorted."""
        return self.pairs.keys()


@dataclass(frozen=True)
class LocatedImages:
    """All images of a data set, for protocols without a list of pairs; fields as `LocatedData`."""

    source: FaceSource
    folder: Path
    landmarks: Path | None
    notice: str | None
    aligned: bool = False

    def keys(self) -> list[str]:
        """Every image there is, sorted."""
        return self.source.keys()


def locate(
    dataset: str,
    data: str | Path | None = None,
    *,
    pairs: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocatedData:
    """The faces and pairs of a data set.

    ``data``: a folder (LFW's layout, its images side by side, or one that holds the ``.bin``
    file), a ``.bin`` file, or the word ``synthetic``. None: what is installed in the data folder;
    for LFW otherwise the synthetic twin of ``seed``, with a notice, rendered where the cache has
    none yet. ``pairs`` replaces the list; images in folders need it for sets that are published as
    ``.bin`` files. A name that is none of `DATASETS` is a set of the user's own.
    UserError where something is missing, is another set's, or is photographs and rendered faces.
    """
    if dataset not in DATASETS and not _is_there(dataset, data):
        raise UserError(
            f"no faces are known for {dataset!r}{nearest(dataset, DATASETS)}; "
            "name the folder of a data set of your own with --data"
        )
    if data is not None and str(data) == SYNTHETIC:
        return _twin(dataset, seed, pairs, progress, f"SYNTHETIC FACES: {NO_REAL}")
    if data is not None:
        return _given(dataset, Path(data), pairs)
    if (installed := installed_at(dataset)) is not None:
        return _given(dataset, installed, pairs)
    if dataset == "lfw":
        notice = (
            f"SYNTHETIC FACES: no LFW images are installed in {data_folder()} "
            f"(`facebench data get lfw` downloads them, --data names a folder); {NO_REAL}"
        )
        return _twin(dataset, seed, pairs, progress, notice)
    raise UserError(how_to_get(dataset))


def locate_images(
    dataset: str, data: str | Path | None = None, *, seed: int = 0, progress: Progress | None = None
) -> LocatedImages:
    """All images of a data set of named people, found as by `locate`; no list of pairs is needed.

    UserError: as `locate`, and for a ``.bin`` file, which does not say who is in its images.
    """
    where = installed_at(dataset) if data is None else folder_itself(Path(data))
    if where is None or str(data) == SYNTHETIC:
        twin_of = locate(dataset, data, seed=seed, progress=progress)
        return LocatedImages(twin_of.source, twin_of.folder, None, twin_of.notice, aligned=True)
    if where.is_file() or (where.is_dir() and bin_file(dataset, where) and not _has_layout(where)):
        raise UserError(
            f"{where} does not say who is in its images; point --data at a folder with "
            f"the images of {dataset} (lfw/Name/Name_0001.jpg)"
        )
    if not where.is_dir():
        raise UserError(f"there is no folder {where}; check --data")
    source = _images(dataset, where)
    keys = source.keys()
    people = {key.split("/")[0] for key in keys}
    require_one_kind(where, source.kind, kind_of_people(people, str(where)))
    if source.kind == SYNTHETIC:
        notice = f"SYNTHETIC FACES in {where}: {NO_REAL}"
        return LocatedImages(source, where, None, notice, aligned=True)
    return LocatedImages(source, where, _landmarks_file(where, source.root), None)


def installed_at(dataset: str) -> Path | None:
    """Folder or ``.bin`` file of an installed data set, or None."""
    folder = data_folder() / dataset
    if folder.is_dir() and (_has_layout(folder) or bin_file(dataset, folder) is not None):
        return folder
    return bin_file(dataset, data_folder())


def _is_there(dataset: str, data: str | Path | None) -> bool:
    return installed_at(dataset) is not None if data is None else str(data) != SYNTHETIC


def bin_file(dataset: str, folder: Path) -> Path | None:
    """The data set's ``.bin`` file in a folder: ``cfp_fp.bin`` or ``cfp-fp.bin``."""
    for name in (dataset.replace("-", "_"), dataset):
        if (folder / f"{name}.bin").is_file():
            return folder / f"{name}.bin"
    return None


def _has_layout(folder: Path) -> bool:
    try:
        LfwSource(folder)
    except UserError:
        return False
    return True


def how_to_get(dataset: str) -> str:
    """One line about a data set that is not installed."""
    name = f"{dataset.replace('-', '_')}.bin"
    return (
        f"no images of {dataset} are installed; it circulates as {name} in the validation sets of "
        f"InsightFace's dataset zoo: put that file at {data_folder() / name} or name it with --data"
    )


def _given(dataset: str, data: Path, pairs: str | Path | None) -> LocatedData:
    try:
        data = folder_itself(data)
        is_file, is_folder = data.is_file(), data.is_dir()
    except OSError as error:
        raise UserError(f"cannot read {data}: {error.strerror}") from error
    if is_file:
        if data.suffix.lower() != ".bin":
            then = "name the folder that holds the images; a list of them goes with --pairs"
            if data.suffix.lower() in _ARCHIVES:
                then = "unpack it and name its folder"
            raise UserError(f"{data} is neither a folder nor a .bin file of face pairs; {then}")
        return _bin(dataset, data, pairs)
    if not is_folder:
        raise UserError(f"there is no folder or file {data}; check --data")
    found = bin_file(dataset, data)
    if found is not None and not (dataset == "lfw" and _has_layout(data)):
        return _bin(dataset, found, pairs)
    return _folder(dataset, data, pairs)


def _folder(dataset: str, data: Path, pairs: str | Path | None) -> LocatedData:
    source = _images(dataset, data)
    if dataset in AS_BIN_FILES and source.kind == SYNTHETIC:
        raise UserError(_twin_of_lfw_only(dataset))
    if dataset in AS_BIN_FILES and pairs is None:
        raise UserError(
            f"{data} holds images in folders, and {dataset} is read from its .bin file; point "
            f"--data at {dataset.replace('-', '_')}.bin, or name the list of these images' pairs "
            "with --pairs"
        )
    file = _pairs_file(data, source.root, pairs)
    listed = read_pairs(file)
    require_one_kind(data, source.kind, kind_of(listed, str(file)))
    if source.kind == SYNTHETIC:
        notice = f"SYNTHETIC FACES in {data}: {NO_REAL}"
        return LocatedData(source, data, listed, None, notice, aligned=True)
    return LocatedData(source, data, listed, _landmarks_file(data, source.root), None)


def _images(dataset: str, data: Path) -> LfwSource | FlatFolderSource:
    """Of rendered faces too, however their folder was named; they have LFW's layout only."""
    try:
        source = LfwSource(data, dataset)
    except UserError as error:
        try:
            return FlatFolderSource(data, dataset)
        except UserError:
            raise error from None
    rendering = rendering_of(data, source.root.parent)
    return source if rendering is None else SyntheticSource(data, rendering)


def _bin(dataset: str, path: Path, pairs: str | Path | None) -> LocatedData:
    if pairs is not None:
        raise UserError(f"{path} holds its own pairs; leave --pairs out")
    named = path.stem.lower().replace("_", "-")
    if named in DATASETS and named != dataset:
        raise UserError(f"{path} is by its name {named} and not {dataset}; choose -p {named}")
    source = BinSource(path, dataset)
    return LocatedData(source, path.parent, source.pairs(), None, None, aligned=True)


def _twin(
    dataset: str, seed: int, pairs: str | Path | None, progress: Progress | None, notice: str
) -> LocatedData:
    if dataset != "lfw":
        raise UserError(_twin_of_lfw_only(dataset))
    rendering = twin.twin_fingerprint(seed)
    folder = rendered_twin(rendering, lambda to: twin.write_lfw_twin(to, seed, progress=progress))
    source = SyntheticSource(folder, rendering)
    file = _pairs_file(folder, source.root, pairs)
    listed = read_pairs(file)
    require_one_kind(folder, source.kind, kind_of(listed, str(file)))
    return LocatedData(source, folder, listed, None, notice, aligned=True)


def rendered_twin(rendering: str, write: Callable[[Path], None], what: str = "faces") -> Path:
    """The folder of a twin in the cache, written where it is not complete there.

    what: it holds, in the UserError for a disk that refuses, or a folder of another twin.
    """
    folder = cache_folder() / SYNTHETIC / rendering
    try:
        if not (folder / MARKER).is_file():
            write(folder)
    except OSError as error:
        raise UserError(
            f"cannot write the synthetic {what} in {folder}: {error.strerror or error}; "
            "$FACEBENCH_CACHE names another place"
        ) from error
    except ValueError as error:
        raise UserError(str(error)) from error
    return folder


def _twin_of_lfw_only(dataset: str) -> str:
    return f"the synthetic faces are a twin of lfw only; {how_to_get(dataset)}"


def _pairs_file(data: Path, root: Path, pairs: str | Path | None) -> Path:
    if pairs is not None:
        return Path(pairs)
    # Of archives in folders of their own name (lfw/lfw), the list lies beside the outer one.
    doubled = data.parent.name.lower() == data.name.lower()
    above = data.parent.parent if doubled else data.parent
    for folder in dict.fromkeys((data, root.parent, data.parent, above)):
        for name in ("pairs.txt", "pairs.csv"):
            if (folder / name).is_file():
                return folder / name
    raise UserError(f"there is no pairs.txt or pairs.csv in {data}: {_LIST_HELP}")


def _landmarks_file(data: Path, root: Path) -> Path | None:
    # Landmarks beside several editions are the original's: funneling moved every face.
    if "funneled" in root.name:
        return root / "landmarks.txt" if (root / "landmarks.txt").is_file() else None
    for folder in dict.fromkeys((data, root.parent)):
        if (folder / "landmarks.txt").is_file():
            return folder / "landmarks.txt"
    return None
