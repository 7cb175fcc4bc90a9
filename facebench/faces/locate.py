"""From ``--data`` and a data set's name to images, pairs and landmarks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError, nearest
from facebench.base.opening import folder_entries
from facebench.base.storage import cache_folder, data_folder
from facebench.base.vocabulary import LONGEST_NAME
from facebench.faces.bin.source import BinSource
from facebench.faces.lfw.folder import FlatFolderSource, LfwSource, PeopleSource, folder_itself
from facebench.faces.lfw.lists import PairList
from facebench.faces.lfw.rendered import (
    MARKER,
    SyntheticSource,
    kind_of,
    kind_of_people,
    rendering_of,
    require_one_kind,
)
from facebench.faces.tables.lists import USUAL, Listing
from facebench.faces.twins import lfw as twin
from facebench.faces.types import FaceSource, Progress

AS_BIN_FILES = ("cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw")
DATASETS = ("lfw", *AS_BIN_FILES)
SYNTHETIC = "synthetic"
NO_REAL = "these numbers say nothing about real photographs and are never compared with them."
_LISTS = ("pairs.txt", "pairs.csv", "pairs.parquet")
_LOOKED_AT = 200  # images of a list, to tell where it is at home
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
    listing: Listing = USUAL,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocatedData:
    """The faces and pairs of a data set; its name is a label, and may be any.

    ``data``: a folder (LFW's layout, its images side by side, of any names where a list names them,
    or one that holds the ``.bin`` file), a ``.bin`` file, or the word ``synthetic``. None: what is
    installed in the data folder; for LFW otherwise the synthetic twin of ``seed``, with a notice,
    rendered where the cache has none yet. ``listing``: what the protocol says of its list;
    ``pairs`` replaces that.
    UserError where something is missing, is another set's, or is photographs and rendered faces.
    """
    if data is not None and str(data) == SYNTHETIC:
        return _twin(dataset, seed, pairs, listing, progress, f"SYNTHETIC FACES: {NO_REAL}")
    if data is not None:
        return _given(dataset, Path(data), pairs, listing)
    if (installed := installed_at(dataset)) is not None:
        return _given(dataset, installed, pairs, listing)
    if dataset == "lfw":
        notice = (
            f"SYNTHETIC FACES: no LFW images are installed in {data_folder()} "
            f"(`facebench data get lfw` downloads them, --data names a folder); {NO_REAL}"
        )
        return _twin(dataset, seed, pairs, listing, progress, notice)
    raise UserError(how_to_get(dataset, listing.get))


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
            f"{where} does not say who is in its images; name a folder with the images of "
            f"{dataset} (lfw/Name/Name_0001.jpg)"
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


def own_name(folder: str | Path, otherwise: str = "faces") -> str:
    """What records call the images of a folder of one's own: its name, in small letters and with a
    dash for all that a name of data cannot have; ``otherwise`` where nothing is left, or it is a
    known set's.
    """
    plain = unicodedata.normalize("NFKD", Path(folder).resolve().name.lower())
    letters = plain.encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9_.]+", "-", letters).strip("-_.")[:LONGEST_NAME]
    return name if name and name not in DATASETS else otherwise


def installed_at(dataset: str) -> Path | None:
    """Folder or ``.bin`` file of an installed data set, or None."""
    folder = data_folder() / dataset
    if folder.is_dir():
        found = _has_layout(folder) or bin_file(dataset, folder) is not None
        if found or (dataset != "lfw" and folder_entries(folder)):
            return folder
    return bin_file(dataset, data_folder())


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


def how_to_get(dataset: str, get: str = "") -> str:
    """One line about a data set that is not installed; get: how its protocol says it is had."""
    name = f"{dataset.replace('-', '_')}.bin"
    if dataset in AS_BIN_FILES and not get:
        return (
            f"no images of {dataset} are installed; it circulates as {name} in the validation sets "
            f"of InsightFace's dataset zoo: put that file at {data_folder() / name} or name it "
            "with --data"
        )
    hint = f" ({get.rstrip('.')})" if get else nearest(dataset, DATASETS)
    return (
        f"no images of {dataset!r} are installed{hint}; put them into {data_folder() / dataset} (a "
        f".bin file at {data_folder() / name}), or name their folder or file with --data"
    )


def _given(dataset: str, data: Path, pairs: str | Path | None, listing: Listing) -> LocatedData:
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
    return _folder(dataset, data, pairs, listing)


def _folder(dataset: str, data: Path, pairs: str | Path | None, listing: Listing) -> LocatedData:
    inside = data / listing.images
    base = inside if inside.is_dir() else data
    sources = _sources(dataset, base)
    file = pairs or listing.file or _listed_beside(dataset, data, sources[0].root, listing)
    listed = listing.read(file)
    source = _holding(sources, listed.keys())
    require_one_kind(data, source.kind, kind_of(listed, str(file)))
    if source.kind == SYNTHETIC:
        if dataset in AS_BIN_FILES:
            raise UserError(_twin_of_lfw_only(dataset, listing.get))
        notice = f"SYNTHETIC FACES in {data}: {NO_REAL}"
        return LocatedData(source, data, listed, None, notice, aligned=True)
    return LocatedData(source, data, listed, _landmarks_file(data, source.root), None)


_Source = LfwSource | FlatFolderSource | PeopleSource


def _sources(dataset: str, data: Path) -> list[_Source]:
    """What the images of a folder may be read as; of LFW nothing but its own layouts, and rendered
    faces, however their folder was named, have LFW's.
    """
    found, wrong = list[_Source](), list[UserError]()
    for layout in (LfwSource, FlatFolderSource):
        try:
            found.append(layout(data, dataset))
        except UserError as error:
            wrong.append(error)
    rendering = rendering_of(data, found[0].root.parent) if found else None
    if rendering is not None and isinstance(found[0], LfwSource):
        return [SyntheticSource(data, rendering)]
    if dataset != "lfw":
        return [*found, PeopleSource(data, dataset)]
    if not found:
        raise UserError(
            f"{wrong[0]}; images of other names need a protocol of their own "
            "(`facebench data pairs FOLDER -o CARD`)"
        )
    return found


def _holding(sources: Sequence[_Source], keys: Sequence[str]) -> _Source:
    """The source that has most of the images of a list, the first where several have."""
    some = keys[:: max(1, len(keys) // _LOOKED_AT)]
    return min(sources, key=lambda source: len(source.missing(some)))


def _images(dataset: str, data: Path) -> _Source:
    """All images of people; UserError: none."""
    sources = _sources(dataset, data)
    first, last = sources[0], sources[-1]
    if not isinstance(last, PeopleSource):
        return first
    keys = last.keys()
    if isinstance(first, LfwSource) and len(first.keys()) >= len(keys):
        return first
    if keys or first is last:
        if not keys:
            raise UserError(
                f"{data} holds no images in folders of people (Ann/any name.jpg), nor side by side "
                "as LFW's (Name_0001.jpg); name the folder that holds the people's"
            )
        return last
    return first


def _bin(dataset: str, path: Path, pairs: str | Path | None) -> LocatedData:
    if pairs is not None:
        raise UserError(f"{path} holds its own pairs; leave --pairs out")
    named = path.stem.lower().replace("_", "-")
    if named in DATASETS and named != dataset:
        raise UserError(f"{path} is by its name {named} and not {dataset}; choose -p {named}")
    source = BinSource(path, dataset)
    return LocatedData(source, path.parent, source.pairs(), None, None, aligned=True)


def _twin(
    dataset: str,
    seed: int,
    pairs: str | Path | None,
    listing: Listing,
    progress: Progress | None,
    notice: str,
) -> LocatedData:
    if dataset != "lfw":
        raise UserError(_twin_of_lfw_only(dataset, listing.get))
    named = pairs or listing.file
    if named is None and listing.name:
        raise UserError(
            f"the list {listing.name} is of photographs of lfw, and none are installed; "
            f"{how_to_list(listing)}"
        )
    rendering = twin.twin_fingerprint(seed)
    folder = rendered_twin(rendering, lambda to: twin.write_lfw_twin(to, seed, progress=progress))
    source = SyntheticSource(folder, rendering)
    file = named or _listed_beside(dataset, folder, source.root, listing)
    listed = listing.read(file)
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


def _twin_of_lfw_only(dataset: str, get: str = "") -> str:
    if dataset not in DATASETS and not get:
        return (
            f"no faces are rendered for {dataset!r}{nearest(dataset, DATASETS)}; the synthetic "
            "faces are a twin of lfw only: name the folder of your own with --data"
        )
    return f"the synthetic faces are a twin of lfw only; {how_to_get(dataset, get)}"


def _listed_beside(dataset: str, data: Path, root: Path, listing: Listing) -> Path:
    """The list in the folder of the data or beside it; UserError: there is none."""
    if dataset in AS_BIN_FILES and not listing.name:
        raise UserError(
            f"{data} holds images in folders, and {dataset} is read from its .bin file; point "
            f"--data at {dataset.replace('-', '_')}.bin, or name the list of these images' pairs "
            "with --pairs"
        )
    # Of archives in folders of their own name (lfw/lfw), the list lies beside the outer one.
    doubled = data.parent.name.lower() == data.name.lower()
    above = data.parent.parent if doubled else data.parent
    names = (listing.name,) if listing.name else _LISTS
    for folder in dict.fromkeys((data, root.parent, data.parent, above)):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    to_do = how_to_list(listing) if dataset != "lfw" or listing.name else _LIST_HELP
    raise UserError(f"there is no {' or '.join(names[:2])} in {data}: {to_do}")


def how_to_list(listing: Listing) -> str:
    """What a user does for a list that is not there."""
    had = f"it comes with the data ({listing.get.rstrip('.')})" if listing.get else ""
    made = "`facebench data pairs FOLDER -o CARD` makes one of a folder per person"
    return f"{had or made}; put it beside the images or name it with --pairs"


def _landmarks_file(data: Path, root: Path) -> Path | None:
    # Landmarks beside several editions are the original's: funneling moved every face.
    if "funneled" in root.name:
        return root / "landmarks.txt" if (root / "landmarks.txt").is_file() else None
    for folder in dict.fromkeys((data, root.parent)):
        if (folder / "landmarks.txt").is_file():
            return folder / "landmarks.txt"
    return None
