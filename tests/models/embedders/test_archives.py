"""What torch reads of a torch.export file is what was checked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.models.embedders.archives import checked_archive
from facebench.models.embedders.programs import load_exported

Parts = list[tuple[str, bytes]]
MODEL = "models/model.json"


class Net(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :4] + 1.0


@pytest.fixture(scope="module")
def exported() -> Parts:
    """The parts of an honest file, without the folder that they are in."""
    shapes = ({0: torch.export.Dim("n", min=1, max=64)},)
    out = io.BytesIO()
    torch.export.save(
        torch.export.export(Net().eval(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=shapes), out
    )
    with zipfile.ZipFile(out) as archive:
        return [(n.partition("/")[2], archive.read(n)) for n in archive.namelist()]


def archive_of(parts: Parts, root: str = "m", packed: bool = False) -> bytes:
    out, how = io.BytesIO(), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in parts:
            archive.writestr(f"{root}/{name}", data)
    return out.getvalue()


def poisoned(parts: Parts, mark: Path) -> bytes:
    """The program with a file-making expression in the place of every size."""

    def poison(node: Any) -> Any:
        if isinstance(node, list):
            return [poison(value) for value in node]
        if not isinstance(node, dict):
            return node
        code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
        return {k: code if k == "expr_str" else poison(v) for k, v in node.items()}

    return json.dumps(poison(json.loads(dict(parts)[MODEL]))).encode()


def test_an_honest_file_gives_the_same_program(exported: Parts, tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    path.write_bytes(archive_of([*exported, ("extra/notes.txt", b"mine")]))
    x = torch.rand(3, 3, 8, 8)
    assert torch.equal(load_exported(path).run(x), Net()(x))


class Scaled(nn.Module):
    """What detectors and face networks do to images of any size."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.interpolate(x, scale_factor=self.scale, mode="bilinear")
        return x.mean((2, 3)) * x.shape[2] ** 0.5


@pytest.mark.parametrize("scale", [1.5, 0.37, 0.00001])
def test_sizes_may_be_computed_from_other_sizes(tmp_path: Path, scale: float) -> None:
    path, any_size = tmp_path / "m.pt2", dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO)
    program = torch.export.export(
        Scaled(scale).eval(), (torch.rand(2, 3, 24, 32),), dynamic_shapes=(any_size,)
    )
    torch.export.save(program, path)
    try:
        torch.export.load(path)
    except Exception:
        pytest.skip("this torch reads no such sizes")
    x = torch.rand(3, 3, 40, 28)
    if scale > 0.1:
        torch.testing.assert_close(load_exported(path).run(x), Scaled(scale)(x))
    else:
        assert load_exported(path).size is None


def insert(name: str, at: int | None) -> Callable[[Parts, bytes], Parts]:
    """The poisoned program under a name, before the honest one, after it, or at the end."""

    def build(parts: Parts, evil: bytes) -> Parts:
        place = [n for n, _ in parts].index(MODEL)
        place = len(parts) if at is None else place + at
        return [*parts[:place], (name, evil), *parts[place:]]

    return build


@pytest.mark.filterwarnings("ignore:Duplicate name")  # it is meant
@pytest.mark.parametrize("at", [0, 1, None, "first"])
@pytest.mark.parametrize(
    "name", ["MODELS/model.json", "models/MODEL.json", MODEL, "./models/model.json"]
)
def test_a_second_program_beside_the_honest_one_is_refused(
    exported: Parts, tmp_path: Path, name: str, at: int | str | None
) -> None:
    path, mark = tmp_path / "m.pt2", tmp_path / "ran"
    evil = poisoned(exported, mark)
    parts = [(name, evil), *exported] if isinstance(at, str) else insert(name, at)(exported, evil)
    path.write_bytes(archive_of(parts))
    with pytest.raises(UserError, match=r"no part of a torch\.export file|twice") as caught:
        load_exported(path)
    assert not mark.exists() and "\n" not in str(caught.value)


def test_the_poison_is_live_and_refused_in_the_one_program_too(
    exported: Parts, tmp_path: Path
) -> None:
    path, mark = tmp_path / "m.pt2", tmp_path / "ran"
    evil = poisoned(exported, mark)
    path.write_bytes(archive_of([(n, evil if n == MODEL else d) for n, d in exported]))
    with pytest.raises(UserError, match="not a size"):
        load_exported(path)
    assert not mark.exists()
    with pytest.raises(Exception):  # noqa: B017, torch trips over what the code returns
        torch.export.load(str(path))
    assert mark.exists()


def test_parts_under_two_roots_are_refused(exported: Parts, tmp_path: Path) -> None:
    out = io.BytesIO(archive_of(exported))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(f"other/{MODEL}", b"{}")
    with pytest.raises(UserError, match="no part of"):
        checked_archive(tmp_path, out.getvalue())


def test_packed_parts_are_refused_before_they_unfold(exported: Parts, tmp_path: Path) -> None:
    bomb = [*exported, ("data/weights/weight_7", b"\0" * (32 << 20))]
    with pytest.raises(UserError, match="longer than the file"):
        checked_archive(tmp_path, archive_of(bomb, packed=True))
    with pytest.raises(UserError, match="is compressed"):
        checked_archive(tmp_path, bytes(100_000) + archive_of(exported, packed=True))


def test_a_class_to_import_is_refused(exported: Parts, tmp_path: Path) -> None:
    tree = json.loads(dict(exported)[MODEL])
    tree["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps(
        [1, {"type": "builtins.tuple", "context": {"__enum__": True, "fqn": "this:x", "name": ""}}]
    )
    evil = json.dumps(tree).encode()
    parts = [(n, evil if n == MODEL else d) for n, d in exported]
    with pytest.raises(UserError, match="names a class"):
        checked_archive(tmp_path, archive_of(parts))


def test_a_name_acts_on_no_terminal(exported: Parts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no part of") as caught:
        checked_archive(tmp_path, archive_of([*exported, ("a\x1b[31m", b"")]))
    assert "\x1b" not in str(caught.value)
