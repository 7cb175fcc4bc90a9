"""The rules of the house: arrows go down, no circles, rooms that fit, one meaning per name."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import facebench
from tests.helpers.imports import arrows_of, circles_of, modules_of

PACKAGE = Path(facebench.__file__).parent

# From the top down; a room may import from its own floor's room and from floors below.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("", "pytest_plugin"),
    ("lab",),
    ("reports",),
    ("gate",),
    ("evaluation",),
    ("costs",),
    ("tables",),
    ("figures",),
    ("comparison",),
    ("records",),
    ("protocols",),
    ("similarity",),
    ("embedding",),
    ("models",),
    ("faces",),
    ("statistics",),
    ("base",),
)
# Lists: a file per command of the command line, a file per drawn thing of the renderer.
MORE_FILES_ALLOWED = {"cli.commands"}
MOST_FILES = 12

MODULES = modules_of(PACKAGE)
ARROWS = arrows_of(PACKAGE)


def floor_of(module: str) -> int:
    """Floor of a module, counted from the top; a file beside the rooms that none names is base."""
    room = module.split(".")[0]
    named = [number for number, rooms in enumerate(FLOORS) if room in rooms]
    return named[0] if named else len(FLOORS) - 1


def files_of_rooms() -> dict[str, list[str]]:
    """Modules of each folder of the package, without ``__init__``."""
    rooms: dict[str, list[str]] = defaultdict(list)
    for path in MODULES.values():
        if path.name != "__init__.py":
            rooms[".".join(path.parent.relative_to(PACKAGE).parts)].append(path.stem)
    return rooms


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= {room for floor in FLOORS for room in floor}


def test_arrows_only_go_down() -> None:
    up = {
        f"{source} -> {target}"
        for source, targets in ARROWS.items()
        for target in targets
        if floor_of(target) < floor_of(source) and MODULES[target] != PACKAGE / "__init__.py"
    }
    assert up == set()


def test_what_the_package_exports_is_used_from_above_only() -> None:
    takers = {source for source, targets in ARROWS.items() if "" in targets}
    assert takers == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    without_exports = {
        name: {target for target in targets if target} for name, targets in ARROWS.items() if name
    }
    assert {" <-> ".join(circle) for circle in circles_of(without_exports)} == set()


def test_rooms_have_no_more_files_than_one_remembers() -> None:
    full = {
        room or "facebench"
        for room, files in files_of_rooms().items()
        if len(files) > MOST_FILES and room not in MORE_FILES_ALLOWED
    }
    assert full == set()


def test_no_two_files_of_a_room_share_their_first_word() -> None:
    shared = {
        f"{room}: {word}"
        for room, files in files_of_rooms().items()
        for word, count in Counter(file.lstrip("_").split("_")[0] for file in files).items()
        if count > 1
    }
    assert shared == set()


def test_a_type_name_is_defined_once() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for module, path in MODULES.items():
        for name in types_of(ast.parse(path.read_text("utf-8"))):
            places[name].add(module)
    assert {name for name, found in places.items() if len(found) > 1} == set()


def types_of(tree: ast.Module) -> set[str]:
    """Names of a source's classes, and of its aliases of types: written in capitals and smalls."""
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    targets = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return classes | {
        name for name in targets if name.lstrip("_")[0].isupper() and not name.isupper()
    }


@pytest.mark.parametrize(
    ("arrows", "circles"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_circles_are_found(arrows: dict[str, set[str]], circles: list[list[str]]) -> None:
    assert circles_of(arrows) == circles


def test_arrows_are_read_wherever_they_stand(tmp_path: Path) -> None:
    package = tmp_path / "house"
    (package / "room").mkdir(parents=True)
    for place in ("__init__.py", "room/__init__.py", "room/b.py", "c.py", "d.py"):
        (package / place).write_text("")
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nfrom house.room import b\nimport elsewhere\n"
        "if TYPE_CHECKING:\n    from house.c import Thing\n"
        "def late():\n    import house.d\n"
    )
    assert arrows_of(package)["a"] == {"room.b", "c", "d"}
