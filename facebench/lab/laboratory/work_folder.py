"""A network's folder of work: known by all that the network depends on, so that nothing else
continues there.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from facebench.base.errors import UserError
from facebench.base.locks import only_one
from facebench.base.opening import read_fields, read_text
from facebench.base.storage import write_atomically
from facebench.base.threads import keep_threads
from facebench.lab.data.people import unseen_beside
from facebench.lab.data.sources import TrainingData
from facebench.lab.learning.precision import AUTO, chosen_precision
from facebench.models.cards.card import read_card

FINAL, SETTINGS, DONE, UNSEEN = "final.pt", "settings.json", "published.json", "unseen.txt"
THREADS = "threads.txt"
# Raised whenever the same settings would learn another network than before.
FORMAT = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Evaluated(NamedTuple):
    """One record: its protocol, with the kind of data where these are not photographs, a sentence
    for the card, its accuracy (None: it has none) and the 95% interval of that, over people where
    the record has one (None: not asked for).
    """

    protocol: str
    sentence: str
    accuracy: float | None
    interval: tuple[float, float] | None = None


# (model card's path, names of the protocols) → one result per protocol
Evaluate = Callable[[Path, tuple[str, ...]], list[Evaluated]]


def check_name(option: str, name: str) -> None:
    """UserError, naming the option, where a card and its folder of work cannot be called so."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{option} {name}: a name of letters, digits, '_', '-' and '.', at most 64, of which "
            "the first is a letter or a digit"
        )


def fingerprint(settings: Mapping[str, Any]) -> str:
    """12 hexadecimal digits of everything that a network depends on; it stands in its card."""
    text = json.dumps({"format": FORMAT, **as_json(settings)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def fingerprint_of(folder: Path) -> str:
    """The fingerprint in the name of a network's folder."""
    return folder.name[-12:]


def name_in(folder: Path) -> str:
    """A folder's name without a fingerprint: that of the network, or of a part of its work."""
    return re.sub(r"-[0-9a-f]{12}$", "", folder.name)


def folder_of(work: Path, name: str, settings: Mapping[str, Any]) -> Path:
    """Where a network of these settings is learned. UserError: what is there cannot be continued,
    because it does not say what it depends on.
    """
    if (work / name / SETTINGS).exists():
        raise UserError(
            f"{work / name} was begun by another version of facebench, which did not write down "
            "all that it learned from, so that it cannot go on: remove it, or give another --work"
        )
    return work / f"{name}-{fingerprint(settings)}"


def learned_there(work: Path, name: str, sha256: str | None) -> Iterator[Path]:
    """Folders that a network of this name was published from with these weights."""
    for path in sorted(work.glob(f"{name}-*/{DONE}")):
        named = re.fullmatch(re.escape(name) + "-[0-9a-f]{12}", path.parent.name)
        if named and published_hash(path.parent) == sha256 and (path.parent / FINAL).exists():
            yield path.parent


def check_card(path: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
    """UserError where a card with weights would be overwritten that these settings did not learn.

    path: of the card.
    """
    if not path.exists() or overwrite:
        return
    card = read_card(path)
    weights = card.weights_path
    if weights is None or not weights.is_file():
        return
    if card.training.fingerprint != fingerprint(settings):
        raise UserError(
            f"{path}: there are trained weights already, of other data or settings; add "
            "--overwrite, or give the new model another name"
        )


def begin_folder(
    folder: Path, settings: Mapping[str, Any], unseen: tuple[str, ...], tell: Callable[[str], None]
) -> None:
    """Write down what a folder's work depends on, who is held out, and the number of threads,
    unless it was begun already.

    tell: is told what is another than in the work of the same name beside it.
    """
    if (folder / SETTINGS).exists():
        return
    for other in sorted(folder.parent.glob(f"{folder.name[:-12]}{'?' * 12}/{SETTINGS}")):
        changed = _differences(settings, read_kept(other))
        tell(f"{folder.name} begins anew: {other.parent} has another {', '.join(changed)}")
    write_unseen(folder / UNSEEN, unseen)
    write_atomically(folder / THREADS, f"{torch.get_num_threads()}\n".encode())
    text = json.dumps({"format": FORMAT, **as_json(settings)}, indent=1)
    write_atomically(folder / SETTINGS, text.encode())


def write_unseen(path: Path, names: tuple[str, ...]) -> None:
    """The identities that a network has not seen, one per line; no file where there are none."""
    if names:
        write_atomically(path, "".join(f"{name}\n" for name in names).encode())
    else:
        path.unlink(missing_ok=True)


@contextmanager
def at_work(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Be the only process that learns in a folder, which is made; waits for another, saying so.

    Torch has the number of threads with which the work there was begun, meanwhile, and that is
    said where it is another. Where nothing is written the folder is not left.
    """
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with only_one(folder, tell):
            if not folder.exists():  # whom we waited for has left nothing
                continue
            try:
                with _threads_of(folder, tell):
                    yield
            finally:
                with suppress(OSError):  # it is not empty
                    folder.rmdir()
            return


@contextmanager
def _threads_of(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    now, first = torch.get_num_threads(), _first_threads(folder / THREADS)
    try:
        if keep_threads(first) != now and not (folder / FINAL).exists():
            tell(
                f"{folder} goes on with the number of threads that it began with, {first}, not "
                f"{now}, so that it ends in the same bytes"
            )
        yield
    finally:
        torch.set_num_threads(now)


def _first_threads(path: Path) -> int | None:
    """What `begin_folder` wrote down; None: it was not here."""
    if not path.exists():
        return None
    text = read_text(path, "the number of threads").strip()
    if not re.fullmatch("[1-9][0-9]{0,3}", text):
        raise UserError(f"{path} holds no number of threads; write there the one of the training")
    return int(text)


def _differences(settings: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    own = {"format": FORMAT, **as_json(settings)}
    return [key for key in {**own, **other} if own.get(key) != other.get(key)]


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as JSON gives them back: tuples as lists."""
    answer: dict[str, Any] = json.loads(json.dumps(values))
    return answer


def published_hash(folder: Path) -> str | None:
    """Hash of the weights that were published from a folder, None: none were."""
    path = folder / DONE
    return str(read_kept(path, "sha256")["sha256"]) if path.exists() else None


def read_kept(path: Path, *names: str) -> dict[str, Any]:
    """A table that a folder of work keeps, with fields of those names at least; UserError: a power
    cut, or a hand, has damaged it.
    """
    to_do = "remove its folder, and the work there is done again"
    return read_fields(path, "of a folder of work", *names, to_do=to_do)


def is_published(folder: Path, path: Path) -> bool:
    """Whether a card is that of the weights that were published from a folder, and they are there.

    path: of the card.
    """
    sha256 = published_hash(folder)
    if sha256 is None or not path.is_file():
        return False
    card = read_card(path)
    weights = card.weights_path
    return card.sha256 == sha256 and weights is not None and weights.is_file()


NO_LICENCE = "The weights inherit the terms of the training data: "
EVALUATED = "Evaluation: "


def training_fields(
    *, data: str, recipe: str, faces: int, device: str, precision: str, log: Path | None,
    fingerprint: str, learned_from: TrainingData, without: str = "",
) -> dict[str, Any]:  # fmt: skip
    """The fields of a training in a card; data: in words; faces: in all; log, without: see
    `duration_words`; fingerprint: of all that the network depends on.
    """
    return {
        "data": data,
        "recipe": recipe,
        "images": faces,
        "device": machine_words(device),
        "precision": precision_words(precision, log),
        "duration": duration_words(log, faces, without),
        "fingerprint": fingerprint,
        "faces": learned_from.real,
    }


def name_unseen(models: Path, name: str, data: TrainingData) -> None:
    """Write ``weights/NAME.unseen.txt`` beside a card: the people that its network has not seen."""
    write_unseen(models / unseen_beside(name), data.unseen)


def own_notes(notes: str) -> str:
    """A card's notes without the evaluation of an earlier training."""
    return notes.partition(EVALUATED)[0].strip()


def machine_words(device: str) -> str:
    """Where a training ran: the device, and how many threads torch has."""
    threads = torch.get_num_threads()
    return f"{device}, {threads} thread{'s' * (threads > 1)}"


def precision_words(precision: str, log: Path | None = None) -> str:
    """The precision of a training: bfloat16 is always that of autocast.

    log: of the training, beside which lies what ``auto`` came to.
    """
    if precision == AUTO and log is not None:
        precision = chosen_precision(log.parent) or precision
    return f"{precision} autocast" if precision == "bfloat16" else precision


def duration_words(log: Path | None, faces: int, without: str = "") -> str:
    """How long ``faces`` faces took, from the speed that the end of a training's log states.

    without: what is not counted, such as ``its ancestors``. Empty where there is no log.
    """
    speed = None if log is None else last_speed(log)
    if speed is None:
        return ""
    seconds = faces / max(speed, 0.1)
    words = f"about {seconds / 60:.0f} minutes" if seconds >= 90 else f"about {seconds:.0f} seconds"
    return f"{words} without {without}" if without else words


def last_speed(log: Path) -> float | None:
    """Faces per second as the last line of a training's log states them; None: it does not."""
    try:
        speed = float(log.read_text("utf-8").splitlines()[-1].rsplit(",", 1)[1])
    except (OSError, ValueError, IndexError):
        return None
    return speed if math.isfinite(speed) else None
