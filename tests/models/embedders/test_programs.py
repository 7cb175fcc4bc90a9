"""TorchScript and torch.export files."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facebench.base.errors import UserError
from facebench.models.embedders.options import ModelOptions
from facebench.models.zoo import load_model

SIZE = (9, 8)


class Net(nn.Module):
    """Calls ``view``, as many face networks do; that fails on channels_last memory."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.f = nn.Linear(4 * 7 * 6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x))
        return self.f(x.view(x.size(0), -1))


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


def faces(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *SIZE, 3), dtype=np.uint8)


def wanted(net: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        t = (torch.from_numpy(x).permute(0, 3, 1, 2).float().contiguous() - 127.5) / 128
        return net(t).numpy()


def save_script(net: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 3, *SIZE)), str(path))
    return path


def save_export(net: nn.Module, path: Path, batch: int | None) -> Path:
    shapes = None if batch else ({0: torch.export.Dim("n", min=1, max=64)},)
    example = (torch.zeros(batch or 2, 3, *SIZE),)
    torch.export.save(torch.export.export(net, example, dynamic_shapes=shapes), str(path))
    return path


@pytest.mark.parametrize("ending", [".pt", ".pts"])
def test_torchscript(tmp_path: Path, net: nn.Module, ending: str) -> None:
    path, x = save_script(net, tmp_path / f"m{ending}"), faces(3)
    model = load_model(str(path), ModelOptions(size=SIZE))
    np.testing.assert_allclose(model.embed(x), wanted(net, x), rtol=1e-4, atol=1e-5)
    assert len(model.weights_hash) == 64 and model.id == "m"
    with pytest.raises(UserError, match="size of its input is not known"):
        load_model(str(path))
    with pytest.raises(UserError, match="layout= has no effect"):
        load_model(str(path), ModelOptions(size=SIZE, layout="nhwc"))
    with pytest.raises(UserError, match="failed on 1 faces"):
        load_model(str(path), ModelOptions(size=(8, 8))).embed(faces(1)[:, :8])


@pytest.mark.parametrize("batch", [None, 1, 4])
def test_exported_programs(tmp_path: Path, net: nn.Module, batch: int | None) -> None:
    path, x = save_export(net, tmp_path / "m.pt2", batch), faces(5)
    model = load_model(str(path), ModelOptions(flip="add"))
    assert model.preprocessing.size == SIZE
    want = wanted(net, x) + wanted(net, x[:, :, ::-1].copy())
    np.testing.assert_allclose(model.embed(x), want, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="takes 9x8 faces"):
        load_model(str(path), ModelOptions(size=(8, 8)))


@pytest.mark.parametrize("ending", [".pt", ".pt2"])
def test_files_of_another_kind(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"m{ending}"
    for content in (b"", b"nonsense"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"not a (TorchScript|torch\.export) file") as caught:
            load_model(str(path), ModelOptions(size=SIZE))
        assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    torch.save(Net().state_dict(), path)
    with pytest.raises(UserError, match=r"m\.pt"):
        load_model(str(path), ModelOptions(size=SIZE))


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def rewrite(path: Path, changes: dict[str, Any]) -> None:
    """Replace parts of an archive, by the end of their names; a function gets the old bytes."""
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w") as archive:
        for name in source.namelist():
            data = source.read(name)
            for ending, change in changes.items():
                if name.endswith(ending):
                    data = change(data) if callable(change) else change
            archive.writestr(name, data)
        root = source.namelist()[0].split("/")[0]
        for ending, data in changes.items():
            if ending.startswith("+"):
                archive.writestr(f"{root}/{ending[1:]}", data)


def test_pickles_in_exported_programs_are_not_unpickled(tmp_path: Path, net: nn.Module) -> None:
    path, mark = save_export(net, tmp_path / "m.pt2", None), tmp_path / "exploded"
    buffer = io.BytesIO()
    torch.save(Bomb(mark), buffer)
    rewrite(path, {"sample_inputs/model.pt": buffer.getvalue()})
    with pytest.raises(UserError):
        load_model(str(path))
    assert not mark.exists()
    torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)
    assert mark.exists()  # the bomb was live


@pytest.mark.parametrize(
    "part", ["data/constants/opaque_obj_0", "data/constants/custom_obj_0", "data/aotinductor/a.so"]
)
def test_parts_that_run_code_are_refused(tmp_path: Path, net: nn.Module, part: str) -> None:
    path = save_export(net, tmp_path / "m.pt2", None)
    rewrite(path, {f"+{part}": pickle.dumps(Bomb(tmp_path / "exploded"))})
    with pytest.raises(UserError, match="holds native code or pickles"):
        load_model(str(path))


@pytest.mark.parametrize("code", ["exec(chr(97))", "__import__('os')", "s0.__class__", 'f"{1}"'])
def test_expressions_that_are_no_sizes_are_refused(
    tmp_path: Path, net: nn.Module, code: str
) -> None:
    path = save_export(net, tmp_path / "m.pt2", None)

    def poison(data: bytes) -> bytes:
        tree = json.loads(data)
        size = tree["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]
        size["as_expr"]["expr_str"] = code
        return json.dumps(tree).encode()

    rewrite(path, {"models/model.json": poison})
    with pytest.raises(UserError, match="an expression that is not a size"):
        load_model(str(path))


def test_rewriting_alone_breaks_nothing(tmp_path: Path, net: nn.Module) -> None:
    path = save_export(net, tmp_path / "m.pt2", None)
    rewrite(path, {})
    assert load_model(str(path)).embed(faces(1)).shape == (1, 5)


class OneRow(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)).reshape(1, 3)


class Refusing(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 1:
            raise ValueError("only one face\nat a time")
        return x


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda: torch.jit.trace(OneRow(), torch.zeros(1, 3, 9, 8)),
         "RuntimeError: shape '[1, 3]' is invalid for input of size 6; check size="),
        (lambda: torch.jit.script(Refusing()), "ValueError: only one face at a time; check size="),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_a_failing_program_is_told_by_its_cause(tmp_path: Path, make: Any, cause: str) -> None:
    make().save(str(tmp_path / "m.pt"))
    model = load_model(str(tmp_path / "m.pt"), ModelOptions(size=(9, 8)))
    with pytest.raises(UserError) as caught:
        model.embed(faces(2))
    assert cause in str(caught.value) and "interpreter" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("state", "it is what torch.save writes, a state dict or a pickled module; that holds no"),
        ("module", "it is what torch.save writes, a state dict or a pickled module; that holds no"),
        ("pickle", "it is a pickle; that holds no program"),
        ("text", "it is none of torch's; that holds no program"),
        ("cut", "it is cut short or damaged; copy or save it again"),
        ("empty", "it is empty; copy or save it again"),
    ],
)
def test_what_is_no_program_is_told_by_what_it_is(
    tmp_path: Path, net: nn.Module, kind: str, said: str
) -> None:
    path = tmp_path / "m.pt"
    torch.save(net.state_dict() if kind == "state" else nn.Flatten(), path)
    data = {"pickle": pickle.dumps(1), "text": b"hello", "cut": path.read_bytes()[:300]}
    if kind not in ("state", "module"):
        path.write_bytes(data.get(kind, b""))
    with pytest.raises(UserError) as caught:
        load_model(str(path), ModelOptions(size=(9, 8)))
    assert f"{path}: not a TorchScript file: {said}" in str(caught.value)
