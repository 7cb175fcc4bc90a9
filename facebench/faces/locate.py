"""From ``--data`` and a data set's name to images, pairs and landmarks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from facebench.errors import UserError, nearest
from facebench.faces.binfile import BinSource
from facebench.faces.folder import LfwSource
from facebench.faces.lists import PairList, read_pairs
from facebench.faces.synthetic import twin
from facebench.faces.types import DataKind, FaceSource
from facebench.storage import cache_folder, data_folder

DATASETS = ("lfw", "cfp-fp", "cfp-ff", "agedb-30", "calfw", "cplfw")
SYNTHETIC = "synthetic"
Progress = Callable[[int, int], None]  # images done, images in all
_NO_REAL = "these numbers say nothing about real photographs and are never compared with them."
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


class SyntheticSource(LfwSource):
    """The rendered twin of LFW; its fingerprint is the renderer's version and seed."""

    kind: DataKind = "synthetic"

    def __init__(self, folder: str | Path, fingerprint: str) -> None:
        super().__init__(folder, "synthetic-lfw")
        self._fingerprint = fingerprint

    def fingerprint(self, keys: Sequence[str]) -> str:
        """``synthetic-lfw-v<version>-s<seed>``, whatever the keys."""
        return self._fingerprint


def locate(
    dataset: str,
    data: str | Path | None = None,
    *,
    pairs: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocatedData:
    """The faces and pairs of a data set.

    ``data``: a folder, a ``.bin`` file, or the word ``synthetic``. None: what is installed in the
    data folder; for LFW otherwise the synthetic twin of ``seed``, with a notice, rendered where
    the cache has none yet. ``pairs`` replaces the list. UserError where something is missing.
    """
    if dataset not in DATASETS:
        raise UserError(f"no faces are known for {dataset!r}{nearest(dataset, DATASETS)}")
    if data is not None and str(data) == SYNTHETIC:
        return _twin(dataset, seed, pairs, progress, f"SYNTHETIC FACES: {_NO_REAL}")
    if data is not None:
        return _given(dataset, Path(data), pairs)
    if (installed := installed_at(dataset)) is not None:
        return _given(dataset, installed, pairs)
    if dataset == "lfw":
        notice = (
            f"SYNTHETIC FACES: no LFW images are installed in {data_folder()} "
            f"(`facebench data get lfw` downloads them, --data names a folder); {_NO_REAL}"
        )
        return _twin(dataset, seed, pairs, progress, notice)
    raise UserError(how_to_get(dataset))


def installed_at(dataset: str) -> Path | None:
    """Folder or ``.bin`` file of an installed data set, or None."""
    folder = data_folder() / dataset
    if folder.is_dir() and (_has_layout(folder) or bin_file(dataset, folder) is not None):
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


def how_to_get(dataset: str) -> str:
    """One line about a data set that is not installed."""
    name = f"{dataset.replace('-', '_')}.bin"
    return (
        f"no images of {dataset} are installed; it circulates as {name} in the validation sets of "
        f"InsightFace's dataset zoo: put that file at {data_folder() / name} or name it with --data"
    )


def _given(dataset: str, data: Path, pairs: str | Path | None) -> LocatedData:
    try:
        is_file, is_folder = data.is_file(), data.is_dir()
    except OSError as error:
        raise UserError(f"cannot read {data}: {error.strerror}") from error
    if is_file:
        if data.suffix.lower() != ".bin":
            raise UserError(f"{data} is neither a folder nor a .bin file of face pairs")
        return _bin(dataset, data, pairs)
    if not is_folder:
        raise UserError(f"there is no folder or file {data}; check --data")
    found = bin_file(dataset, data)
    if found is not None and not (dataset == "lfw" and _has_layout(data)):
        return _bin(dataset, found, pairs)
    source = LfwSource(data, dataset)
    if (fingerprint := _synthetic_fingerprint(data, source)) is not None:
        source = SyntheticSource(data, fingerprint)
    listed = read_pairs(_pairs_file(data, source.root, pairs))
    if source.kind == SYNTHETIC:
        notice = f"SYNTHETIC FACES in {data}: {_NO_REAL}"
        return LocatedData(source, data, listed, None, notice, aligned=True)
    return LocatedData(source, data, listed, _landmarks_file(data, source.root), None)


def _bin(dataset: str, path: Path, pairs: str | Path | None) -> LocatedData:
    if pairs is not None:
        raise UserError(f"{path} holds its own pairs; leave --pairs out")
    source = BinSource(path, dataset)
    return LocatedData(source, path.parent, source.pairs(), None, None, aligned=True)


def _twin(
    dataset: str, seed: int, pairs: str | Path | None, progress: Progress | None, notice: str
) -> LocatedData:
    if dataset != "lfw":
        raise UserError(f"the synthetic faces are a twin of lfw only; {how_to_get(dataset)}")
    fingerprint = twin.twin_fingerprint(seed)
    folder = cache_folder() / SYNTHETIC / fingerprint
    try:
        if not (folder / "COMPLETE.json").is_file():
            twin.write_lfw_twin(folder, seed, progress=progress)
    except OSError as error:
        raise UserError(
            f"cannot write the synthetic faces in {folder}: {error.strerror or error}; "
            "$FACEBENCH_CACHE names another place"
        ) from error
    except ValueError as error:
        raise UserError(str(error)) from error
    source = SyntheticSource(folder, fingerprint)
    listed = read_pairs(_pairs_file(folder, source.root, pairs))
    return LocatedData(source, folder, listed, None, notice, aligned=True)


def _synthetic_fingerprint(data: Path, source: LfwSource) -> str | None:
    """The twin's fingerprint where a folder that was named holds rendered faces, or None.

    Rendered faces must never be taken for photographs, however they were named.
    """
    for marker in (data / "COMPLETE.json", source.root.parent / "COMPLETE.json"):
        try:
            text = json.loads(marker.read_text())["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(text, str) and text.startswith("synthetic-"):
            return text
    if source.keys()[0].startswith(twin.twin_name(1).split("_")[0] + "_"):
        raise UserError(
            f"{data} holds synthetic faces that are not complete or lost their COMPLETE.json; "
            "use --data synthetic"
        )
    return None


def _pairs_file(data: Path, root: Path, pairs: str | Path | None) -> Path:
    if pairs is not None:
        return Path(pairs)
    for folder in dict.fromkeys((data, root.parent, data.parent)):
        if (folder / "pairs.txt").is_file():
            return folder / "pairs.txt"
    raise UserError(f"there is no pairs.txt in {data}: {_LIST_HELP}")


def _landmarks_file(data: Path, root: Path) -> Path | None:
    # Landmarks beside several editions are the original's: funneling moved every face.
    if "funneled" in root.name:
        return root / "landmarks.txt" if (root / "landmarks.txt").is_file() else None
    for folder in dict.fromkeys((data, root.parent)):
        if (folder / "landmarks.txt").is_file():
            return folder / "landmarks.txt"
    return None
