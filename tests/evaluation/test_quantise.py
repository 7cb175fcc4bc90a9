"""Models in static int8: their cards and counts, the same from a seed, on faces of others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import facebench
from facebench.base.errors import UserError
from facebench.base.storage import sha256_file
from facebench.cli.app import main
from facebench.evaluation.quantise import calibration_faces, quantise_static
from facebench.models.cards.card import find_card, read_card
from facebench.models.cards.publish import write_card
from facebench.models.counting.model import count_model
from facebench.models.zoo import load_model, load_network
from tests.evaluation.test_evaluate import QUICK
from tests.helpers.static import (
    FOLDED,
    PARAMETERS,
    PRODUCTS,
    SEVEN_BITS,
    SIZE,
    crops,
    save_onnx,
    small,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FACTORY = "tests.helpers.static:small"


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Crops of six people in a folder of the working directory."""
    monkeypatch.chdir(tmp_path)
    return crops(tmp_path / "others")


def embedded(model: str, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    return load_model(model).embed(faces).astype(np.float64)


def constants_of(path: Path, axes: int) -> tuple[list[Any], list[Any]]:
    """Integers of so many axes in a QDQ file, and their scales."""
    import onnx

    graph = onnx.load(str(path)).graph
    values = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    rows = [n.input for n in graph.node if n.op_type == "DequantizeLinear"]
    rows = [names for names in rows if names[0] in values and values[names[0]].ndim == axes]
    return [values[names[0]] for names in rows], [values[names[1]] for names in rows]


def some_faces(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (5, *size, 3), dtype=np.uint8)


def test_a_factory_becomes_a_file_with_a_card(others: Path) -> None:
    made = quantise_static(
        FACTORY, others, Path("small8.onnx"), number=4, seed=1, reduce_range=SEVEN_BITS
    )
    card = made.card
    assert (card.name, card.architecture, card.weights) == ("small8", "onnx", "small8.onnx")
    assert card.path == Path("small8.toml") and card.sha256 == sha256_file(Path("small8.onnx"))
    known = card.calibration
    assert known is not None
    assert (known.images, known.method, known.seed) == (4, "minmax", 1)
    assert known.faces.startswith("others-") and len(known.people) == 4
    assert set(known.people) < {f"Other_{letter}" for letter in "ABCDEF"}
    assert made.after == Path("small8.onnx").stat().st_size < made.before and made.own is None
    assert made.cosines.shape == (4,) and (made.cosines > 0.99).all()
    want, got = embedded(FACTORY, some_faces()), embedded("small8.onnx", some_faces())
    assert 0 < np.abs(want - got).max() < 0.05 * np.abs(want).max()


def test_an_onnx_file_keeps_what_its_card_says(others: Path) -> None:
    save_onnx(small(), Path("mine.onnx"))
    options = facebench.ModelOptions(
        size=SIZE, colour="bgr", mean=(120.0, 110.0, 100.0), scale=(60.0, 61.0, 62.0), flip="add"
    )
    made = quantise_static("mine.onnx", others, options=options)
    assert made.card.path == Path("mine_static_int8.toml")
    prepared = load_model("mine_static_int8.toml").preprocessing
    assert prepared == load_model("mine.onnx", options).preprocessing
    assert made.own == made.before == Path("mine.onnx").stat().st_size


def test_a_fixed_batch_stays(others: Path) -> None:
    save_onnx(small(), Path("four.onnx"), batch=4)
    options = facebench.ModelOptions(size=SIZE)
    quantise_static("four.onnx", others, options=options, reduce_range=SEVEN_BITS)
    got = embedded("four_static_int8.onnx", some_faces())
    want = load_model("four.onnx", options).embed(some_faces())
    assert np.abs(want - got).max() < 0.05 * np.abs(want).max()


def test_a_convnet_keeps_its_zeros_and_a_scale_for_each_neuron(
    small_zoo: Path, others: Path
) -> None:
    made = quantise_static("small", others, Path("s8.onnx"))
    assert (made.cosines > 0.99).all() and made.card.parent == "small"
    card = find_card("small")
    one = count_model(load_model("small"), card)
    other = count_model(load_model("s8.onnx"), made.card)
    assert (other.parameters, other.multiply_adds) == (one.parameters, one.multiply_adds)
    assert one.kept is not None and other.kept is not None and other.kept <= one.kept
    assert other.kept > 0.95 * one.kept  # few weights round to zero
    assert card.weights_path is not None and made.own == card.weights_path.stat().st_size
    _, scales = constants_of(Path("s8.onnx"), axes=4)
    net = load_network("small")
    neurons = {layer.bias.numel() for layer in (net.local5a, net.local5b)}
    assert neurons <= {len(scale) for scale in scales}


def test_eval_bench_and_compare_take_it(
    faces: Path, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantise_static(FACTORY, others, Path("small8.onnx"))
    records = facebench.evaluate_many(
        [FACTORY, "small8.onnx"], "lfw", faces, align="centre", **QUICK | {"draws": 0}
    )
    one, other = records[0].model, records[1].model
    assert (one.parameters, other.parameters) == (PARAMETERS, FOLDED)
    assert (one.multiply_adds, other.multiply_adds) == (PRODUCTS, PRODUCTS)
    assert other.bytes == Path("small8.onnx").stat().st_size
    assert other.packed_bytes is not None  # biases of 32 bits are within float16, scaled
    assert other.packed_int8_bytes is not None and one.packed_int8_bytes is not None
    assert FOLDED < other.packed_int8_bytes < one.packed_int8_bytes
    (found,) = facebench.compare(records[0], records[1])
    assert found.candidate.model.id == "small8"


def test_people_of_the_test_are_refused_by_name(faces: Path, others: Path) -> None:
    tested = facebench.evaluate(FACTORY, "lfw", faces, align="centre", **QUICK)
    assert tested.comparisons.total
    quantise_static(FACTORY, others, Path("small8.onnx"))
    card = read_card(Path("small8.toml"))
    assert card.calibration is not None
    person = next(p.name for p in (faces / "lfw").iterdir())
    shared = card.calibration.model_copy(update={"people": ("Nobody", person)})
    write_card(card.model_copy(update={"calibration": shared}), Path("small8.toml"))
    with pytest.raises(UserError) as error:
        facebench.evaluate("small8.toml", "lfw", faces, align="centre", **QUICK)
    assert str(error.value) == (
        f"model small8: was calibrated on faces of 1 people of lfw (first: {person}), and would be "
        "tested on what it was fitted to; quantise it again with calibrate= on faces of others"
    )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(others: Path) -> None:
    """In another process, in which Python orders sets otherwise, too."""
    lines = (
        "from facebench.evaluation.quantise import quantise_static\nfrom pathlib import Path\n"
        f"quantise_static({FACTORY!r}, 'others', Path('twin.onnx'), number=3, seed=5)"
    )
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", lines], env=env, check=True)
    one = quantise_static(FACTORY, others, Path("one.onnx"), number=3, seed=5)
    twin = read_card(Path("twin.toml"))
    assert twin.calibration == one.card.calibration
    want, got = embedded("one.onnx", some_faces()), embedded("twin.onnx", some_faces())
    np.testing.assert_allclose(got, want, atol=1e-2 * np.abs(want).max())
    drawn = {seed: calibration_faces(others, SIZE, 3, seed).people for seed in range(4)}
    assert len(set(drawn.values())) > 1


@pytest.mark.slow
def test_rendered_faces_are_of_no_test(others: Path) -> None:
    found = calibration_faces("synthetic", (112, 96), 3, 0)
    assert found.crops.shape == (3, 112, 96, 3) and found.people == ()
    assert found.label == "synthetic-people-v1-s0"
    assert len({face.tobytes() for face in found.crops}) == 3


@pytest.mark.parametrize(
    ("model", "change", "said"),
    [
        (FACTORY, {"faces": "nowhere"}, "there is no such folder"),
        (FACTORY, {"method": "max"}, "'max': not one of minmax, entropy, percentile"),
        (FACTORY, {"number": 0}, "is 0; it must be at least 1"),
        (FACTORY, {"seed": -1}, "is -1; it must be at least 0"),
        (FACTORY, {"out": Path("x.pt")}, "a file that computes in int8 ends in .onnx"),
        (FACTORY, {"out": Path("no/x.onnx")}, "there is no folder no"),
        (FACTORY, {"out": Path("there.onnx")}, "there.onnx is there already; add overwrite=True"),
        ("ensemble_5", {}, "model ensemble_5: is an ensemble of several networks"),
        ("no_such", {}, "unknown model 'no_such'"),
    ],
)
def test_mistakes_are_one_line(others: Path, model: str, change: dict[str, Any], said: str) -> None:
    Path("there.onnx").write_bytes(b"mine")
    given: dict[str, Any] = {"faces": others} | change
    with pytest.raises(UserError) as error:
        quantise_static(model, **given)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert sorted(p.name for p in Path().iterdir()) == ["others", "there.onnx"]
    assert Path("there.onnx").read_bytes() == b"mine"


def test_faces_that_cannot_be_cut_are_named(others: Path) -> None:
    (others / "Other_A" / "Other_A_0001.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="Other_A_0001"):
        quantise_static(FACTORY, others)


def test_the_command(others: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["quantise", FACTORY, "--calibrate", "others", "-o", "small8.onnx", "--faces", "5"])
    assert ended.value.code in (0, None)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("small8.onnx: ") and first.endswith(", card small8.toml")
    assert "calibrated on 5 faces of others-" in second and "has cosine 0.99" in second


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("small --method entropy", "--method has no effect on weights alone; add --calibrate"),
        ("small -o x.onnx", "--out has no effect on weights alone"),
        ("small --size 80x80", "what is said of the input has no effect on weights alone"),
        ("small --calibrate others --name a", "--name is of weights alone"),
        ("small --calibrate nowhere", "--calibrate nowhere: there is no such folder"),
    ],
)
def test_what_has_no_effect_is_refused(
    small_zoo: Path, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["quantise", *words.split()])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and said in lines[0]
