"""From ``--data`` to the videos of YouTube Faces and the pairs in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.faces.install.installed import REGISTERED
from facebench.faces.lfw.folder import folder_itself
from facebench.faces.lfw.rendered import kind_of_people, rendering_of, require_one_kind
from facebench.faces.locate import NO_REAL, SYNTHETIC, rendered_twin
from facebench.faces.twins import ytf as ytf_twin
from facebench.faces.types import Progress
from facebench.faces.ytf.frames import (
    ALIGNED,
    FRAMES,
    SyntheticYtf,
    YtfSource,
    numbered_videos,
    video_folder,
)
from facebench.faces.ytf.lists import VideoPairs, find_splits, read_splits

_OFFICIAL = (ALIGNED, FRAMES)


@dataclass(frozen=True)
class LocatedVideos:
    """Where the videos are, and which are compared.

    landmarks: a ``landmarks.txt`` beside them, or None; notice: what must stand in front of every
    number (synthetic faces), or None; aligned: the frames are crops of aligned faces already.
    """

    source: YtfSource
    folder: Path
    pairs: VideoPairs
    landmarks: Path | None
    notice: str | None
    aligned: bool = False


def locate_ytf(
    data: str | Path | None = None,
    *,
    pairs: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocatedVideos:
    """The videos and pairs of YouTube Faces.

    data: a folder, or the word ``synthetic``; None: what is installed, otherwise the synthetic twin
    of ``seed``, with a notice, rendered where the cache has none yet. pairs replaces the list.
    UserError where something is missing, or is photographs and rendered faces.
    """
    if data is not None and str(data) == SYNTHETIC:
        return _twin(seed, pairs, progress, f"SYNTHETIC FACES: {NO_REAL}")
    if data is not None:
        return _given(Path(data), pairs)
    if (installed := installed_ytf()) is not None:
        return _given(installed, pairs)
    notice = (
        f"SYNTHETIC FACES: no YouTube Faces videos are installed in {data_folder() / 'ytf'} (they "
        f"need a registration; --data names a folder); {NO_REAL}"
    )
    return _twin(seed, pairs, progress, notice)


def installed_ytf() -> Path | None:
    """The installed videos' folder, or None."""
    folder = data_folder() / "ytf"
    try:
        video_folder(folder)
    except UserError:
        return None
    return folder


def _given(data: Path, pairs: str | Path | None) -> LocatedVideos:
    if not data.is_dir():
        what = "is a file" if data.is_file() else "is not there"
        raise UserError(f"--data {data} {what}; {REGISTERED['ytf']}")
    data = folder_itself(data)
    root = video_folder(data)
    rendering = rendering_of(data, root.parent, twin_of="ytf")
    source = YtfSource(data) if rendering is None else SyntheticYtf(data, rendering)
    file = _splits_file(data, root, pairs)
    listed = read_splits(file)
    if root.name not in _OFFICIAL and not any(map(source.has_video, listed.videos())):
        raise _no_ytf(data, f"people's folders with the videos that {file} names")
    _require_one_kind(data, source, listed, file)
    if rendering is not None:
        notice = f"SYNTHETIC FACES in {data}: {NO_REAL}"
        return LocatedVideos(source, data, listed, None, notice, aligned=True)
    return LocatedVideos(source, data, listed, _landmarks_file(data, root), None)


def _twin(
    seed: int, pairs: str | Path | None, progress: Progress | None, notice: str
) -> LocatedVideos:
    rendering = ytf_twin.ytf_twin_fingerprint(seed)
    folder = rendered_twin(
        rendering, lambda to: ytf_twin.write_ytf_twin(to, seed, progress=progress), "videos"
    )
    source = SyntheticYtf(folder, rendering)
    file = _splits_file(folder, source.root, pairs)
    listed = read_splits(file)
    _require_one_kind(folder, source, listed, file)
    return LocatedVideos(source, folder, listed, None, notice, aligned=True)


def _require_one_kind(data: Path, source: YtfSource, listed: VideoPairs, file: Path) -> None:
    kind = kind_of_people(set(listed.people()), str(file))
    require_one_kind(data, source.kind, kind, "videos", "the list names people of photographs")


def _splits_file(data: Path, root: Path, pairs: str | Path | None) -> Path:
    if pairs is not None:
        return Path(pairs)
    if (found := find_splits(data, root.parent)) is not None:
        return found
    if root.name not in _OFFICIAL and not numbered_videos(root):
        raise _no_ytf(data, "people's folders with numbered videos (Person/0)")
    raise UserError(
        f"there is no splits.txt in {data}: it comes with the registration of YouTube Faces; put "
        "it beside the folder of the frames or name it with --pairs"
    )


def _no_ytf(data: Path, else_: str) -> UserError:
    """For a folder whose images in folders are of something else, such as another data set."""
    return UserError(
        f"{data} is not YouTube Faces: it holds neither {FRAMES}/ nor {ALIGNED}/, nor {else_}; "
        f"point --data at the folder that holds {FRAMES}/ or {ALIGNED}/"
    )


def _landmarks_file(data: Path, root: Path) -> Path | None:
    for folder in dict.fromkeys((data, root, root.parent)):
        if (folder / "landmarks.txt").is_file():
            return folder / "landmarks.txt"
    return None
