"""Images that a protocol names and that cannot be used: finding them, and saying so in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from facebench.base.errors import UserError
from facebench.faces.types import FaceSource, ImageError

Refusal = tuple[str, str]  # key, why
_SHOWN = 3


class UnusableFacesError(UserError):
    """Faces that this model and this data can give no embedding for, however often one tries."""


def absent_faces(source: FaceSource, keys: Sequence[str]) -> list[Refusal]:
    """Keys whose images are absent, as far as the source can tell without reading them."""
    return [(key, "no such image") for key in source.missing(keys)]


def require_faces(source: FaceSource, keys: Sequence[str]) -> None:
    """UserError where images are absent: the first few and their number."""
    if absent := absent_faces(source, keys):
        raise faces_refused(source, absent, len(keys))


def fingerprint_of(
    source: FaceSource,
    keys: Sequence[str],
    absent: Collection[str],
    refuse: Callable[[list[Refusal]], None],
) -> tuple[str, set[str]]:
    """Fingerprint over the images that are there, and the keys of those that are not.

    refuse is given the unreadable ones where the source cannot take its fingerprint over them; if
    it lets them pass, they are left out.
    """
    gone = set(absent)
    try:
        return source.fingerprint([key for key in keys if key not in gone]), gone
    except ImageError as error:
        refusals = _unreadable(source, keys) or [(error.key, error.why)]
    refuse(refusals)
    gone.update(key for key, _ in refusals)
    return source.fingerprint([key for key in keys if key not in gone]), gone


def faces_refused(
    source: FaceSource, refusals: Sequence[Refusal], total: int
) -> UnusableFacesError:
    """The error that names the first few of the images that cannot be used, and their number."""
    shown = "; ".join(f"{key}: {why}" for key, why in sorted(refusals)[:_SHOWN])
    more = f"; and {len(refusals) - _SHOWN:,} more" if len(refusals) > _SHOWN else ""
    return UnusableFacesError(
        f"{len(refusals):,} of {total:,} images of {source.name} cannot be used ({shown}{more}); "
        "mend or replace them, or count them as failures to acquire with --on-missing count"
    )


def _unreadable(source: FaceSource, keys: Sequence[str]) -> list[Refusal]:
    refusals: list[Refusal] = []
    for key in keys:
        try:
            source.read(key)
        except ImageError as error:
            refusals.append((error.key, error.why))
    return refusals
