"""Sets in the layouts in which they are published run from their cards alone, under their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facebench.base.errors import UserError
from facebench.base.storage import data_folder
from facebench.comparison.worst import MostHit
from facebench.evaluation.evaluate import evaluate
from facebench.figures.worst import worst_with_faces
from facebench.models.embedders.options import ModelOptions
from facebench.protocols.cards import VerificationCard, list_protocols, load_protocol
from facebench.protocols.kinds.verification import PreparedVerification, prepare
from facebench.protocols.settings import Settings
from tests.helpers import open_sets as sets


def cplfw(folder: Path) -> None:
    sets.write_calfw(folder, "CPLFW", 1)


def bin_file(name: str) -> Callable[[Path], None]:
    return lambda folder: sets.write_bin(folder / f"{name}.bin")


# Protocol: who writes its folder, name of the data, folds, comparisons, people.
SETS = {
    "xqlfw": (sets.write_xqlfw, "xqlfw", 10, 40, 20),
    "mlfw": (sets.write_mlfw, "mlfw", 10, 40, 20),
    "sllfw": (sets.write_sllfw, "lfw", 10, 40, 20),
    "calfw": (sets.write_calfw, "calfw", 10, 40, 20),
    "cplfw": (cplfw, "cplfw", 10, 40, 20),
    "rfw-african": (sets.write_rfw, "rfw", 10, 40, 20),
    "rfw-indian": (sets.write_rfw, "rfw", 10, 40, 20),
    "bfw": (sets.write_bfw, "bfw", 5, 40, 20),
    "vgg2-fp": (bin_file("vgg2_fp"), "vgg2-fp", 10, 40, None),
    "hadrian": (bin_file("hadrian"), "hadrian", 10, 40, None),
    "eclipse": (bin_file("eclipse"), "eclipse", 10, 40, None),
    "nd-twins": (bin_file("nd_twins"), "nd-twins", 10, 40, None),
}
CENTRE = Settings(align="none")


def ready(name: str, data: Path | None) -> PreparedVerification:
    card = load_protocol(name)
    assert isinstance(card, VerificationCard)
    return prepare(card, data, CENTRE, images=True)


@pytest.mark.parametrize("name", SETS)
def test_a_published_layout_is_read_from_the_card_alone(name: str, tmp_path: Path) -> None:
    write, data, folds, total, people = SETS[name]
    write(tmp_path / "set")
    prepared = ready(name, tmp_path / "set")
    found = prepared.comparisons
    assert prepared.faces.source is not None
    assert (prepared.faces.name, len(found), len(set(found.folds))) == (data, total, folds)
    assert prepared.faces.label.startswith(f"{data}-") and prepared.faces.kind == "real"
    assert found.mated.sum() == total / 2 and not prepared.faces.source.missing(found.keys)
    if people is None:
        assert found.subjects is None
    else:
        assert found.subjects is not None and len(set(found.subjects)) == people
        assert (found.subjects[found.left] == found.subjects[found.right]).tolist() == (
            found.mated.tolist()
        )
    assert prepared.published_list is None


@pytest.mark.parametrize("name", ["xqlfw", "rfw-asian", "hadrian"])
def test_what_is_installed_is_found_and_what_is_not_says_where_it_is_had(
    name: str, tmp_path: Path
) -> None:
    card = load_protocol(name)
    with pytest.raises(UserError) as caught:
        ready(name, None)
    assert card.get.rstrip(".") in str(caught.value)
    SETS[name.replace("asian", "african")][0](data_folder() / card.dataset)
    assert len(ready(name, None).comparisons) == 40


def test_sllfw_is_of_lfws_photographs_and_never_of_the_twin() -> None:
    with pytest.raises(UserError, match=r"pair_SLLFW\.txt is of photographs.*whdeng\.cn/SLLFW"):
        ready("sllfw", None)


def test_a_list_that_was_named_is_not_the_published_one(tmp_path: Path) -> None:
    sets.write_xqlfw(tmp_path)
    card = load_protocol("xqlfw")
    assert isinstance(card, VerificationCard)
    settings = Settings(align="none", pairs=tmp_path / "xqlfw_pairs.txt")
    assert prepare(card, tmp_path, settings, images=True).published_list is False


def test_every_card_that_needs_a_folder_says_where_it_is_had() -> None:
    cards = [card for card in list_protocols() if card.name in {*SETS, "rfw-asian"}]
    assert len(cards) == len(SETS) + 1 and all(len(card.get) > 20 for card in cards)
    shown = [one for card in cards for one in getattr(card, "published", ())]
    assert len(shown) >= 18 and all(0.5 < one.accuracy < 1 and one.source for one in shown)


def pixels(faces: np.ndarray) -> np.ndarray:
    small = faces[:, ::16, ::16].astype(np.float32).reshape(len(faces), -1)
    return small - small.mean(axis=1, keepdims=True)


OWN = """
name = "staff"
kind = "verification"
version = 1
title = "Staff"
source = "Us"
dataset = "people-of-ours"
pair_list = "{list}"
folds = 4
"""
TABLE = "image_a,image_b,same,group\n"


def staff(folder: Path, people: int = 16) -> str:
    """Images of any names; their table without folds, in which a person meets the next of four."""
    rows = TABLE
    names = [f"Person {n:02d}" for n in range(people)]
    for number, name in enumerate(names):
        for n, file in enumerate(("IMG 1.png", "scan-b.JPG")):
            sets.image(folder / name / file, name, n)
        rows += f"{name}/IMG 1.png,{name}/scan-b.JPG,1,x\n"
        other = names[number - 3 if number % 4 == 3 else number + 1]
        rows += f"{name}/IMG 1.png,{other}/IMG 1.png,0,y\n"
    return rows


def test_a_card_of_any_name_with_its_own_table_and_a_folder_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = staff(tmp_path / "photos")
    (tmp_path / "protocols" / "lists").mkdir(parents=True)
    (tmp_path / "protocols" / "staff.toml").write_text(OWN.format(list="lists/staff.csv"))
    (tmp_path / "protocols" / "lists" / "staff.csv").write_text(rows)
    monkeypatch.chdir(tmp_path)
    record = evaluate(
        pixels, "staff", tmp_path / "photos", options=ModelOptions(size=(112, 112)), align="none",
        draws=20, workers=0, progress=False,
    )  # fmt: skip
    assert record.data.name == "people-of-ours"
    assert record.data.fingerprint.startswith("people-of-ours-")
    assert record.comparisons.total == 32 and record.comparisons.folds == 4
    assert record.comparisons.subjects == 16
    assert "cut by people (seed 0) into 4" in record.notes[0] and "no pair was" in record.notes[0]
    assert record.statistics.headline.value > 0.8
    (tmp_path / "photos" / "Person 03" / "IMG 1.png").unlink()
    with pytest.raises(
        UserError, match=r"1 of 32 images of people-of-ours cannot be used \(Person"
    ):
        evaluate(pixels, "staff", tmp_path / "photos", options=ModelOptions(size=(112, 112)),
                 align="none", workers=0, progress=False)  # fmt: skip


def test_a_card_outside_the_workspace_finds_its_list_beside_it(tmp_path: Path) -> None:
    rows = staff(tmp_path / "photos")
    (tmp_path / "staff.toml").write_text(OWN.format(list="pairs.csv"))
    (tmp_path / "pairs.csv").write_text(rows)
    assert len(ready(str(tmp_path / "staff.toml"), tmp_path / "photos").comparisons) == 32
    (tmp_path / "pairs.csv").rename(tmp_path / "photos" / "pairs.csv")
    assert len(ready(str(tmp_path / "staff.toml"), tmp_path / "photos").comparisons) == 32
    (tmp_path / "photos" / "pairs.csv").unlink()
    with pytest.raises(UserError, match=r"there is no pairs\.csv in .*facebench data pairs FOLDER"):
        ready(str(tmp_path / "staff.toml"), tmp_path / "photos")


def by_days(folder: Path, people: int = 16) -> None:
    """Images in folders of days, whose table says who is in them: the folders are nobody's."""
    lines = staff(folder / "whole", people).splitlines()[1:]
    rows = "image_a,image_b,same,subject_a,subject_b\n"
    for line in lines:
        one, other, same, _ = line.split(",")
        fields = [key.replace("Person ", "day/p").replace("/IMG", "-IMG") for key in (one, other)]
        fields = [field.replace("/scan", "-scan") for field in fields]
        names = [key.split("/")[0] for key in (one, other)]
        rows += ",".join([*fields, same, *names]) + "\n"
    for image in (folder / "whole").rglob("*.*"):
        own = folder / "photos" / f"day/p{image.parent.name.split()[1]}-{image.name}"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_bytes(image.read_bytes())
    (folder / "protocols").mkdir()
    (folder / "protocols" / "staff.toml").write_text(OWN.format(list="pairs.csv"))
    (folder / "protocols" / "pairs.csv").write_text(rows)


def test_people_are_those_whom_the_list_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whom nothing may be fitted on, and whom a smaller network hurts."""
    by_days(tmp_path)
    monkeypatch.chdir(tmp_path)
    card, photos = "staff", tmp_path / "photos"
    prepared = ready(card, photos)
    assert prepared.named_people == {f"Person {n:02d}" for n in range(16)}
    assert prepared.comparisons.named["day/p03-IMG 1.png"] == "Person 03"
    asked = {"options": ModelOptions(size=(112, 112)), "align": "none", "draws": 0,
             "workers": 0, "progress": False, "store": False}  # fmt: skip
    fit = tmp_path / "fit"
    for person in ("day", "Other 1", "Other 2"):  # a folder's name is nobody's
        for n in range(4):
            sets.image(fit / person / f"{n}.png", person, n)
    found = evaluate(pixels, card, photos, template="pca-3", template_fit=fit, **asked)
    assert found.model.template.startswith("pca-3(")
    (fit / "day").rename(fit / "Person 07")
    with pytest.raises(UserError, match=r"1 people of the test are in it \(first: Person 07\)"):
        evaluate(pixels, card, photos, template="pca-3", template_fit=fit, **asked)
    models = {"whole": pixels, "dim": lambda faces: pixels(faces // 64)}
    records = [evaluate(model, card, photos, name=name, **asked) for name, model in models.items()]
    hit, _ = worst_with_faces(
        *records, number=20, by=None, data=photos, pairs=None, sheet=None,
        protocol=None, similarity=None, found_in=(),
    )  # fmt: skip
    assert isinstance(hit, MostHit) and hit.by == "person"
    assert {one.name for one in hit.hits} == set(prepared.named_people)


@pytest.mark.parametrize("path", ["/etc/passwd", "../pairs.csv", "a\\\\b"])
def test_a_list_leads_out_of_no_folder(path: str, tmp_path: Path) -> None:
    (tmp_path / "staff.toml").write_text(OWN.format(list=path))
    with pytest.raises(UserError, match="field 'pair_list': must be a path below the folder"):
        load_protocol(str(tmp_path / "staff.toml"))
