"""Do the folders of YouTube Faces hold what its protocol reads?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from facebench.base.errors import UserError
from facebench.base.opening import IMAGE, folder_entries, plain_bytes
from facebench.faces.images import incomplete, without_ending
from facebench.faces.lfw.lists import some
from facebench.faces.types import Check, Progress
from facebench.faces.ytf.frames import ALIGNED, BOXES, FRAMES, frame_files
from facebench.faces.ytf.lists import find_splits, read_boxes, read_splits

VIDEOS, PEOPLE, PAIRS = 3_425, 1_595, 5_000
Frames = dict[str, list[str]]  # file names by ``Person/video``


def check_ytf(folder: Path, progress: Progress | None = None) -> Iterator[Check]:
    """The folders of frames, whole or aligned, every frame in them, their boxes, and the pairs.

    progress: told of every frame that is read. Source of the layout: Wolf, Hassner, Maoz 2011.
    """
    roots = [folder / name for name in (FRAMES, ALIGNED) if (folder / name).is_dir()]
    if not roots and folder.name in (FRAMES, ALIGNED):
        roots = [folder]
    splits = find_splits(folder, *(root.parent for root in roots))
    if not roots and splits is None:
        yield False, f"no YouTube Faces here: neither {FRAMES}/ nor {ALIGNED}/, nor splits.txt"
        return
    yield bool(roots), f"folders of frames: {_some([root.name for root in roots])}"
    found = {root: _frames(root) for root in roots}
    total = sum(len(files) for frames in found.values() for files in frames.values())
    done = 0
    for root, frames in found.items():
        yield from _videos(root.name, frames)
        broken = []
        for video, files in frames.items():
            broken += [f"{video}/{file}" for file in files if _is_broken(root / video / file)]
            done += len(files)
            if progress is not None:
                progress(done, total)
        yield not broken, f"{root.name}: frames that are truncated: {_some(broken)}"
        if root.name == FRAMES:
            yield from _boxes(root, frames)
    yield from _pairs(splits, {video for frames in found.values() for video in frames})


def _frames(root: Path) -> Frames:
    """Every video with its frames, none where it is empty; UserError: see `frame_files`."""
    return {
        f"{person.name}/{video.name}": frame_files(Path(video.path))
        for person in folder_entries(root)
        if person.is_dir()
        for video in folder_entries(Path(person.path))
        if video.is_dir()
    }


def _videos(name: str, frames: Frames) -> Iterator[Check]:
    people = len({video.partition("/")[0] for video in frames})
    whole = (len(frames), people) == (VIDEOS, PEOPLE)
    expected = f"(complete: {VIDEOS} of {PEOPLE})"
    yield whole, f"{name}: {len(frames)} videos of {people} people {expected}"
    empty = [video for video, files in frames.items() if not files]
    yield not empty, f"{name}: videos without a frame: {_some(empty)}"


def _boxes(root: Path, frames: Frames) -> Iterator[Check]:
    """The lists that tell where the face is in each frame, one per person."""
    keys: dict[str, list[str]] = {}
    for video, files in frames.items():
        own = keys.setdefault(video.partition("/")[0], [])
        own += [f"{video}/{file}" for file in files]
    absent, wrong, without = [], [], []
    for person, own in keys.items():
        path = root / f"{person}{BOXES}"
        if not path.is_file():
            absent.append(person)
            continue
        try:
            boxes = {without_ending(key) for key in read_boxes(path, person)}
        except UserError as error:  # as the evaluation would refuse it
            wrong.append(str(error))
            continue
        without += [key for key in own if without_ending(key) not in boxes]
    yield not absent, f"{root.name}: people without *{BOXES}: {_some(absent)}"
    shown = some(wrong, 1) if wrong else "none"
    yield not wrong, f"{root.name}: *{BOXES} that cannot be read: {shown}"
    yield not without, f"{root.name}: frames without a row in *{BOXES}: {_some(without)}"


def _pairs(splits: Path | None, there: set[str]) -> Iterator[Check]:
    if splits is None:
        yield False, "there is no splits.txt"
        return
    try:
        pairs = read_splits(splits)
    except UserError as error:  # as the evaluation would refuse it
        yield False, str(error)
        return
    yield len(pairs) == PAIRS, f"splits.txt: {len(pairs)} pairs (complete: {PAIRS})"
    absent = [video for video in pairs.videos() if video not in there]
    yield not absent, f"videos of the pairs that are absent: {_some(absent)}"


def _is_broken(path: Path) -> bool:
    try:
        return incomplete(plain_bytes(path, IMAGE)) is not None
    except OSError:
        return True


def _some(names: Sequence[str]) -> str:
    return some(names) if names else "none"
