"""What imports what in the package, read from the source without running it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

Arrows = dict[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Dotted names of a package's modules, below the package, and their files; ``""`` is itself."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def arrows_of(package: Path) -> Arrows:
    """From each module to the modules that it imports anywhere: inside functions and types, too."""
    modules = modules_of(package)
    arrows = {}
    for name, path in modules.items():
        named = _imported(ast.parse(path.read_text("utf-8")), package.name)
        arrows[name] = {_module(word, modules) for word in named} - {name}
    return arrows


def circles_of(arrows: Arrows) -> list[list[str]]:
    """Groups of modules that reach each other: strongly connected ones of more than one."""
    reach = {name: _reached(name, arrows) for name in arrows}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other])) for name in arrows
    }
    return sorted(list(group) for group in groups if len(group) > 1)


def _reached(start: str, arrows: Arrows) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in arrows.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names below the package that a source imports: modules, or things in them."""
    start = package + "."
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name.removeprefix(start) for a in node.names if a.name.startswith(start))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            inside = "" if node.module == package else node.module.removeprefix(start)
            if node.module == package or node.module.startswith(start):
                yield from (f"{inside}.{a.name}".lstrip(".") for a in node.names)
        elif isinstance(node, ast.Constant) and _is_name(node.value, start):
            yield node.value.removeprefix(start)  # imported by name, such as commands


def _is_name(value: object, start: str) -> bool:
    return (
        isinstance(value, str)
        and value.startswith(start)
        and all(map(str.isidentifier, value.split(".")))
    )


def _module(word: str, modules: Iterable[str]) -> str:
    """The module that a dotted name is, or is in."""
    while word and word not in modules:
        word = word.rpartition(".")[0]
    return word


def outside(folder: Path) -> set[str]:
    """Names of packages that the files of a folder import, without the standard library's."""
    named: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                named.add(node.module)
    tops = {name.partition(".")[0] for name in named}
    return tops - set(sys.stdlib_module_names)
