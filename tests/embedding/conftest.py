"""The toys must be importable in the processes that read faces, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.embedding_toys import FolderFaces, write_faces


@pytest.fixture
def faces(tmp_path: Path) -> tuple[FolderFaces, list[str]]:
    """A source of 40 faces and its keys."""
    keys = write_faces(tmp_path / "faces", 40)
    return FolderFaces(tmp_path / "faces"), keys


@pytest.fixture(scope="session")
def many_faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderFaces, list[str]]:
    """A source of three shards (1,100 faces), too many to be read in-process; not to change."""
    folder = tmp_path_factory.mktemp("many")
    keys = write_faces(folder, 1100)
    return FolderFaces(folder), keys
