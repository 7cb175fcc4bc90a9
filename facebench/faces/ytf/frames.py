"""The frames of YouTube Faces on disk, in the layouts of the official distribution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import folder_entries
from facebench.faces.images import is_image
from facebench.faces.lfw.folder import _Folder, image_files, one_file
from facebench.faces.twins import ytf as ytf_twin
from facebench.faces.types import DataKind

ALIGNED, FRAMES = "aligned_images_DB", "frame_images_DB"
BOXES = ".labeled_faces.txt"
_DIGITS = re.compile(r"(\d+)")


class YtfSource(_Folder):
    """Frames in ``Person/video/file.jpg`` below ``aligned_images_DB`` or ``frame_images_DB``.

    folder holds one of these (of both, the aligned one is taken), or is one of them. Keys are
    ``Person/video/file.jpg``. framed: these are whole frames, whose faces a box tells; otherwise
    they are crops that are centred on the face. UserError where the folder holds no video.
    """

    kind: DataKind = "real"

    def __init__(self, folder: str | Path, name: str = "ytf") -> None:
        root = video_folder(Path(folder))
        super().__init__(name, root)
        self.framed = root.name == FRAMES or any(
            entry.name.endswith(BOXES) for entry in folder_entries(root)
        )

    def videos(self) -> list[str]:
        """Every ``Person/video`` folder there is, sorted; it may be empty."""
        people = (entry for entry in folder_entries(self.root) if entry.is_dir())
        return sorted(
            f"{person.name}/{video.name}"
            for person in people
            for video in folder_entries(Path(person.path))
            if video.is_dir()
        )

    def frames(self, video: str) -> list[str]:
        """Keys of one video's frames in the order of time; none where it is absent or empty.

        UserError: a folder that cannot be read, and one frame with two endings.
        """
        return [f"{video}/{file}" for file in frame_files(self._named(video))]

    def has_video(self, video: str) -> bool:
        """Whether there is a folder of that video, with frames or without."""
        return self._named(video).is_dir()

    def keys(self) -> list[str]:
        """Every frame of every video, sorted."""
        return sorted(key for video in self.videos() for key in self.frames(video))


class SyntheticYtf(YtfSource):
    """The rendered twin. rendering: the renderer's version and seed, as its marker says."""

    kind: DataKind = "synthetic"

    def __init__(self, folder: str | Path, rendering: str) -> None:
        super().__init__(folder, "synthetic-ytf")
        self.rendering = rendering

    def label(self, keys: Sequence[str], fingerprint: str | None = None) -> str:
        """``synthetic-ytf-v<version>-s<seed>`` where all files are what this rendering gives,
        otherwise with ``+<16 hex>`` of the contents of these keys.
        """
        expected = ytf_twin.YTF_TWIN_CONTENTS.get(self.rendering, ())
        everything = self.keys()
        whole = everything == sorted(keys) and fingerprint is not None
        contents = fingerprint if whole else self.fingerprint(everything)
        assert contents is not None
        if contents.rsplit("-", 1)[1] in expected:
            return self.rendering
        own = self.fingerprint(keys) if fingerprint is None else fingerprint
        return f"{self.rendering}+{own.rsplit('-', 1)[1]}"


def video_folder(folder: Path) -> Path:
    """The folder of the people's folders; UserError where there is none."""
    candidates = [folder / ALIGNED, folder / FRAMES, folder]
    for candidate in candidates:
        if candidate.is_dir() and _holds_videos(candidate):
            return candidate
    raise UserError(
        f"{folder} holds no videos in the layout of YouTube Faces ({ALIGNED}/Person/0/*.jpg or "
        f"{FRAMES}/Person/0/0.1.jpg); point --data at the folder that holds {ALIGNED}/ or {FRAMES}/"
    )


def frame_files(folder: Path) -> list[str]:
    """Names of a video's frames in the order of time, none where the folder is absent.

    UserError: it cannot be read, or holds one frame with two endings.
    """
    if not folder.is_dir():
        return []
    found = image_files(folder).values()
    return sorted((one_file(folder, names) for names in found), key=_natural)


def numbered_videos(root: Path) -> bool:
    """Whether a folder holds ``Person/0``: all videos of YouTube Faces have numbers for names."""
    return any(
        video.is_dir() and video.name.isdecimal()
        for person in folder_entries(root)
        if person.is_dir()
        for video in folder_entries(Path(person.path))
    )


def _holds_videos(root: Path) -> bool:
    for person in folder_entries(root):
        if person.is_dir():
            for video in folder_entries(Path(person.path)):
                if video.is_dir() and any(
                    is_image(file.name) for file in folder_entries(Path(video.path))
                ):
                    return True
    return False


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """2 before 10: numbers compare as numbers, and before text."""
    parts = (part for part in _DIGITS.split(name) if part)
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)
