"""From ``--data`` to the lists and images of IJB-A, IJB-B or IJB-C."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.faces.ijb.ijba import SEARCH, VERIFICATION, has_ijba_lists
from facebench.faces.ijb.ijbc import IMAGES, meta_folder
from facebench.faces.ijb.images import absent_folder
from facebench.faces.install.installed import REGISTERED
from facebench.faces.lfw.folder import folder_itself
from facebench.faces.lfw.rendered import marked_as, require_one_kind
from facebench.faces.locate import NO_REAL, SYNTHETIC, rendered_twin
from facebench.faces.twins import ijba as twin
from facebench.faces.types import DataKind, Progress

ListLayout = Literal["ijba", "ijbc"]
_RENDERED = "synth_"  # how the files of rendered faces begin


@dataclass(frozen=True)
class LocatedLists:
    """Where lists and images are. images: the folder that the lists' files are below.

    rendering: name of the rendering by its marker, None for photographs; notice: what must stand in
    front of every number, or None.
    """

    folder: Path
    images: Path
    rendering: str | None
    notice: str | None

    @property
    def kind(self) -> DataKind:
        """Of the faces."""
        return "real" if self.rendering is None else "synthetic"


def locate_lists(
    dataset: str,
    data: str | Path | None = None,
    *,
    layout: ListLayout | None = None,
    images: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> LocatedLists:
    """The folder of ``ijba``, ``ijbb``, ``ijbc``, or of a user's own data set in such a layout.

    layout: of the lists, see `facebench.protocols.cards.TemplateCard`; None: by the name.
    data: a folder, or the word ``synthetic``; None: what is installed, and for IJB-A otherwise the
    synthetic twin of ``seed``, with a notice. images: False where only the lists are needed.
    UserError where something is missing or is another set's.
    """
    if data is not None and str(data) == SYNTHETIC:
        return _twin(dataset, seed, progress, f"SYNTHETIC FACES: {NO_REAL}")
    layout = layout or ("ijba" if dataset == "ijba" else "ijbc")
    if data is not None:
        return _given(dataset, layout, Path(data))
    installed = data_folder() / dataset
    if installed.is_dir() and _has_lists(dataset, layout, installed):
        return _given(dataset, layout, installed)
    if not images:
        raise UserError(
            f"{dataset}: embeddings need the protocol's lists: name their folder with --data"
        )
    if dataset != "ijba":
        raise UserError(f"{_how_to_get(dataset)}; then name that folder with --data")
    notice = (
        f"SYNTHETIC FACES: no IJB-A images are installed in {data_folder()} (they need a signed "
        f"agreement; --data names a folder); {NO_REAL}"
    )
    return _twin(dataset, seed, progress, notice)


def require_kind(located: LocatedLists, faces: Iterable[str], images: bool) -> DataKind:
    """What the faces of the lists are, by their names and by the marker of rendered ones.

    UserError where the two disagree, or names of both kinds are in one list. Without images (their
    embeddings were given) there need not be a marker.
    """
    names = [face.rpartition("/")[2] for face in faces]
    rendered = sum(name.startswith(_RENDERED) for name in names)
    if 0 < rendered < len(names):
        raise UserError(
            f"the lists of {located.folder} name rendered faces ({_RENDERED}...) and photographs; "
            "the two are never mixed: evaluate them apart"
        )
    named: DataKind = "synthetic" if rendered else "real"
    if images or named == "real":
        require_one_kind(located.folder, located.kind, named, named="the lists name photographs")
    return named


def require_image_folder(located: LocatedLists, faces: Iterable[str]) -> None:
    """UserError where the folder of all images is absent."""
    absent = absent_folder(located.images, located.folder, faces)
    if absent is not None:
        raise UserError(
            f"there is no folder {absent}, which the images of the lists must be in; complete "
            f"{located.folder}, or point --data elsewhere"
        )


def _given(dataset: str, layout: ListLayout, folder: Path) -> LocatedLists:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; check --data")
    folder = folder_itself(folder)
    if not _has_lists(dataset, layout, folder):
        lists = f"{VERIFICATION}/ or {SEARCH}/" if layout == "ijba" else "meta/ and loose_crop/"
        raise UserError(
            f"{folder} holds no lists of {dataset} ({lists}); point --data at the folder that does"
        )
    rendering = _rendering(folder)
    notice = None if rendering is None else f"SYNTHETIC FACES in {folder}: {NO_REAL}"
    return LocatedLists(folder, _images(dataset, layout, folder), rendering, notice)


def _has_lists(dataset: str, layout: ListLayout, folder: Path) -> bool:
    if layout == "ijba":
        return any(has_ijba_lists(folder, sets) for sets in (VERIFICATION, SEARCH))
    return meta_folder(folder, dataset) is not None


def _images(dataset: str, layout: ListLayout, folder: Path) -> Path:
    if layout == "ijba":
        return folder / "images" if (folder / "images").is_dir() else folder
    meta = meta_folder(folder, dataset)
    assert meta is not None
    return meta.parent / IMAGES


def _how_to_get(dataset: str) -> str:
    return REGISTERED.get(dataset, f"no data of {dataset} are in {data_folder() / dataset}")


def _rendering(folder: Path) -> str | None:
    name = marked_as(folder)
    known = name is None or name.startswith(f"{twin.TEMPLATE_TWIN}-v")
    return name if known else f"{twin.TEMPLATE_TWIN}-unknown"


def _twin(dataset: str, seed: int, progress: Progress | None, notice: str) -> LocatedLists:
    if dataset != "ijba":
        raise UserError(f"the synthetic templates are a twin of ijba only; {_how_to_get(dataset)}")
    rendering = twin.template_twin_fingerprint(seed)
    folder = rendered_twin(
        rendering, lambda to: twin.write_template_twin(to, seed, progress=progress)
    )
    return LocatedLists(folder, folder / "images", rendering, notice)
