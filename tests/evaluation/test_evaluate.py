"""facebench.evaluate from Python."""

from __future__ import annotations

import dataclasses
import pickle
import re
import shutil
import time
import warnings
from inspect import signature
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import facebench
from facebench.base.errors import Notice, UserError
from facebench.evaluation.evaluate import evaluate_many
from facebench.faces.lfw.rendered import SyntheticSource
from facebench.faces.twins import lfw as twin
from facebench.models.embedders.base import Embedder, Preprocessing
from facebench.protocols.cards import protocol_paths
from facebench.protocols.settings import Settings
from facebench.tables.records import record_table

QUICK: dict[str, Any] = {"workers": 0, "draws": 20, "progress": False}


class Grey(Embedder):
    """Mean-free 14 x 12 blocks of the face, in no less time than told; counts its faces."""

    def __init__(self, id: str = "grey", precision: str = "float32", seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.id, self.weights_hash, self.precision = id, "12" * 32, precision
        self.preprocessing = Preprocessing()
        self.seen = 0

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += len(faces)
        time.sleep(self.seconds)
        blocks = faces.reshape(len(faces), 14, 8, 12, 8, 3).mean(axis=(2, 4, 5), dtype=np.float32)
        flat = blocks.reshape(len(faces), -1)
        return flat - flat.mean(axis=1, keepdims=True)


def test_evaluate_returns_the_record_of_the_command(faces: Path) -> None:
    model = Grey(seconds=0.01)
    record = facebench.evaluate(model, "lfw", faces, **QUICK)
    assert isinstance(record, facebench.Record)
    assert record.model.id == "grey" and record.model.dimension == 168
    assert record.comparisons.total == 16 and record.comparisons.subjects == 8
    assert record.data.kind == "real" and record.data.notice is None
    assert record.alignment.startswith("centre-crop")
    assert record.run.seconds["network"] >= 0.01
    path = facebench.save_record(record, faces / "records")
    assert facebench.read_record(path) == record


def test_a_second_run_takes_the_store_and_has_the_same_digest(faces: Path) -> None:
    first, second, without = Grey(), Grey(), Grey()
    digests = {
        facebench.evaluate(first, "lfw", faces, **QUICK).digest(),
        facebench.evaluate(second, "lfw", faces, **QUICK).digest(),
        facebench.evaluate(without, "lfw", faces, store=False, **QUICK).digest(),
    }
    assert len(digests) == 1
    assert (first.seen, second.seen, without.seen) == (16, 0, 16)


def test_a_changed_image_changes_fingerprint_and_signature(faces: Path) -> None:
    before = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    path = faces / "lfw" / "Person_A" / "Person_A_0001.jpg"
    path.write_bytes((faces / "lfw" / "Person_B" / "Person_B_0001.jpg").read_bytes())
    after = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert before.data.fingerprint != after.data.fingerprint
    assert before.signature != after.signature


def test_many_models_in_order(faces: Path) -> None:
    records = evaluate_many([Grey("a"), Grey("b", "bfloat16")], ["lfw", "lfw"], faces, **QUICK)
    assert [record.model.id for record in records] == ["a", "b"]


def test_intervals_over_people_need_no_draws(faces: Path) -> None:
    statistics = facebench.evaluate(
        Grey(), "lfw", faces, draws=0, workers=0, progress=False
    ).statistics
    for estimate in (statistics.accuracy, statistics.auc, statistics.eer):
        assert estimate.interval is not None
        assert estimate.interval.kind == "dyadic over subjects"


def test_cards_of_the_working_directory_are_protocols(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (faces / "protocols").mkdir()
    (faces / "protocols" / "mine.toml").write_text(
        'name = "mine"\nkind = "verification"\nversion = 3\ntitle = "Mine"\nsource = "me"\n'
        'dataset = "lfw"\ncomparisons = 16\nspread = "standard deviation"\ntargets = [0.5]\n'
    )
    monkeypatch.chdir(faces)
    record = facebench.evaluate(Grey(), "mine", faces, **QUICK)
    accuracy = record.statistics.accuracy
    assert re.search(r"\|protocol:mine\.v3\+[0-9a-f]{8}\|", record.signature)
    assert accuracy.spread_kind == "standard deviation"
    assert accuracy.spread == pytest.approx(np.std(accuracy.per_fold, ddof=1))
    assert [point.target for point in record.statistics.tar_at_far] == [0.5]


def test_a_card_that_takes_the_place_of_a_shipped_one_is_told_from_it(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert "|protocol:lfw.v1|" in shipped.signature
    text = protocol_paths()["lfw"].read_text("utf-8")
    (faces / "protocols").mkdir()
    (faces / "protocols" / "lfw.toml").write_text(text.replace("6000", "16"), "utf-8")
    monkeypatch.chdir(faces)
    own = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert re.search(r"\|protocol:lfw\.v1\+[0-9a-f]{8}\|", own.signature)


def test_what_is_unusual_about_a_list_is_in_record_and_table_and_a_warning(
    faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = QUICK | {"align": "centre"}
    with warnings.catch_warnings():
        warnings.simplefilter("error", Notice)
        assert facebench.evaluate(Grey(), "lfw", faces, **quick).notes == ()
    header, *rows = (faces / "pairs.txt").read_text().splitlines()
    turned = "\t".join(rows[4].split("\t")[2:] + rows[4].split("\t")[:2])
    (faces / "pairs.txt").write_text("\n".join([header, *rows[:8], *rows[:4], turned, *rows[5:8]]))
    with pytest.warns(Notice) as told:
        record = facebench.evaluate(Grey(), "lfw", faces, **quick)
    assert [str(one.message) for one in told] == [f"lfw: {note}" for note in record.notes]
    assert {Path(one.filename).name for one in told} == {Path(__file__).name}
    assert capsys.readouterr() == ("", "")
    assert record.comparisons.total == 16
    assert record.notes == (
        "the list names 8 of its 16 comparisons more than once, 1 of them in the other order; "
        "every row counts as listed",
        "the list puts 4 of its 4 people in more than one fold, so that folds are not tested on "
        "people that are new to them",
    )
    caption = "\n".join(record_table([record]).notes)
    assert all(f"note: {note}" in caption for note in record.notes)


class Constant(Grey):
    """The same embedding whatever the face, or a mirrored similarity."""

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ones((len(faces), 4), np.float32)


def test_the_same_embedding_for_every_face_is_refused(faces: Path) -> None:
    with pytest.raises(UserError, match=r"the same embedding for all 16 faces.*output="):
        facebench.evaluate(Constant(), "lfw", faces, **QUICK)
    names = [f"{path.parent.name}/{path.name}" for path in sorted(faces.rglob("*.jpg"))]
    np.save(faces / "same.npy", np.ones((len(names), 4), np.float32))
    (faces / "names.txt").write_text("\n".join(names))
    given = [(faces / "same.npy", faces / "names.txt")]
    with pytest.raises(UserError, match="check what wrote the file") as caught:
        facebench.evaluate_many([], "lfw", faces, embeddings=given, **QUICK)
    assert "output" not in str(caught.value)


def test_inverted_labels_are_noted(faces: Path) -> None:
    names = [f"Person_{letter}" for letter in "ABCDEFGH"]
    for number, name in enumerate(names):  # the second image is the next person's
        own = faces / "lfw" / name / f"{name}_0002.jpg"
        fold = 4 * (number // 4)
        other = names[fold + (number - 1) % 4]
        shutil.copy(faces / "lfw" / other / f"{other}_0001.jpg", own)
    with pytest.warns(Notice, match="are labels inverted"):
        record = facebench.evaluate(Grey(), "lfw", faces, **QUICK, align="centre")
    assert record.statistics.auc.value < 0.5
    assert "are labels inverted" in record.notes[0] and len(record.notes) == 1


def test_images_of_some_pixels_show_no_face(faces: Path) -> None:
    pixel = np.zeros((1, 1, 3), np.uint8)
    cv2.imwrite(str(faces / "lfw" / "Person_A" / "Person_A_0001.jpg"), pixel)
    record = facebench.evaluate(Grey(), "lfw", faces, **QUICK, align="centre")
    assert record.failures_to_acquire.faces == 1
    assert record.notes[0].startswith("1 of 16 faces were not acquired")
    for path in (faces / "lfw").rglob("*.jpg"):
        cv2.imwrite(str(path), pixel)
    with pytest.raises(UserError, match="none of the 16 faces was acquired"):
        facebench.evaluate(Grey(), "lfw", faces, **QUICK, align="centre")


def test_what_is_guessed_of_a_model_is_in_the_signature(faces: Path) -> None:
    class Guessing(Grey):
        guessed, remarks = "colour mean", ("a guess",)

    record = facebench.evaluate(Guessing(), "lfw", faces, **QUICK, align="centre")
    assert "|guessed:colour mean|" in record.signature and record.notes == ("a guess",)
    assert record.model.guessed == "colour mean"
    plain = facebench.evaluate(Grey(), "lfw", faces, **QUICK, align="centre")
    assert "guessed" not in plain.signature + plain.canonical_json().decode()


def test_what_a_later_protocol_lacks_is_found_before_the_first_face(faces: Path) -> None:
    model = Grey()
    with pytest.raises(UserError, match=r"there is no pairs_CALFW\.txt in .*calfw\.bin of"):
        evaluate_many([model], ["lfw", "calfw"], faces, **QUICK)
    assert model.seen == 0


def test_absent_images_of_a_later_protocol_are_found_before_the_first_face(faces: Path) -> None:
    images = [path.read_bytes() for path in sorted(faces.rglob("*.jpg"))]
    crops = (*images, *images[:4])
    (faces / "agedb_30.bin").write_bytes(
        pickle.dumps(([bytes(bytearray(crop)) for crop in crops], [True, False] * 5))
    )
    (faces / "lfw" / "Person_A" / "Person_A_0001.jpg").unlink()
    model = Grey()
    with pytest.raises(UserError, match=r"1 of 16 images of lfw cannot be used \(Person_A"):
        evaluate_many([model], ["agedb-30", "lfw"], faces, **QUICK)
    assert model.seen == 0
    evaluate_many([model], ["agedb-30", "lfw"], faces, on_missing="count", **QUICK)
    assert model.seen == 20 + 15


def test_a_record_is_told_of_as_soon_as_it_is_done(faces: Path) -> None:
    class Failing(Grey):
        def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
            raise UserError("it fails")

    done: list[facebench.Record] = []
    failing = Failing("b", "bfloat16")
    with pytest.raises(UserError, match="it fails"):
        evaluate_many([Grey("a"), failing], ["lfw"], faces, on_record=done.append, **QUICK)
    assert [record.model.id for record in done] == ["a"]
    again = evaluate_many([Grey("a")], ["lfw"], faces, on_record=done.append, **QUICK)
    assert done[1:] == list(again)


def test_a_list_of_the_right_length_is_not_yet_the_published_one(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        protocol_paths()["lfw"].read_text("utf-8").replace("comparisons = 6000", "comparisons = 16")
    )
    (faces / "protocols").mkdir()
    (faces / "protocols" / "lfw.toml").write_text(text, "utf-8")
    monkeypatch.chdir(faces)
    record = facebench.evaluate(Grey(), "lfw", faces, **QUICK)
    assert record.comparisons.total == record.protocol.published_comparisons
    assert record.protocol.published_list is False


def test_changed_rendered_faces_are_embedded_again_and_lose_their_name(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = faces / "twin"
    (folder / "lfw").mkdir(parents=True)
    listed = (faces / "pairs.txt").read_text()
    for number, letter in enumerate("ABCDEFGH", 1):
        old, new = f"Person_{letter}", twin.twin_name(number)
        (folder / "lfw" / new).mkdir()
        for file in sorted((faces / "lfw" / old).iterdir()):
            shutil.copy(file, folder / "lfw" / new / file.name.replace(old, new))
        listed = listed.replace(old, new)
    (folder / "pairs.txt").write_text(listed)
    name = twin.twin_fingerprint(0)
    (folder / "COMPLETE.json").write_text(f'{{"fingerprint": "{name}"}}')
    source = SyntheticSource(folder, name)
    whole = source.fingerprint(source.keys()).removeprefix("synthetic-lfw-")
    monkeypatch.setattr(twin, "TWIN_CONTENTS", {name: (whole,)})
    first, second = Grey(), Grey()
    before = facebench.evaluate(first, "lfw", folder, **QUICK)
    assert before.data.fingerprint == name and before.protocol.published_list is None
    shutil.copy(
        folder / "lfw/Synth_00001/Synth_00001_0001.jpg",
        folder / "lfw/Synth_00002/Synth_00002_0001.jpg",
    )
    after = facebench.evaluate(second, "lfw", folder, **QUICK)
    assert (first.seen, second.seen) == (16, 16)
    assert after.data.fingerprint.startswith(f"{name}+")
    assert after.statistics != before.statistics


def test_a_flat_folder_gives_the_same_record(faces: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in (faces / "lfw").rglob("*.jpg"):
        shutil.copy(file, flat)
    expected = facebench.evaluate(Grey(), "lfw", faces, store=False, **QUICK)
    found = facebench.evaluate(Grey(), "lfw", flat, pairs=faces / "pairs.txt", store=False, **QUICK)
    assert found.digest() == expected.digest()


def test_lfw_mini_flattened_gives_the_same_numbers(shared_data: Path, tmp_path: Path) -> None:
    mini, flat = shared_data / "lfw-mini", tmp_path / "flat"
    flat.mkdir()
    for file in (mini / "lfw").rglob("*.jpg"):
        (flat / file.name).symlink_to(file)
    expected = facebench.evaluate(Grey(), "lfw", mini, **QUICK)
    lists = {"pairs": mini / "pairs.txt", "landmarks": mini / "landmarks.txt"}
    found = facebench.evaluate(Grey(), "lfw", flat, store=False, **lists, **QUICK)
    assert found.statistics == expected.statistics
    assert found.signature == expected.signature and found.digest() == expected.digest()


def test_what_is_not_pinned_is_not_stored(faces: Path) -> None:
    first, second = Grey(), Grey()
    for model in (first, second):
        model.storable = False
        record = facebench.evaluate(model, "lfw", faces, **QUICK)
        assert "|weights:unpinned|" in record.signature
    assert (first.seen, second.seen) == (16, 16)


def test_the_libraries_that_took_part_are_in_the_record(faces: Path) -> None:
    model = Grey()
    environment = facebench.evaluate(model, "lfw", faces, **QUICK).environment
    assert (environment.opencv, environment.onnxruntime) == (cv2.__version__, "")
    model.runtime = "onnxruntime 1.20.1"
    environment = facebench.evaluate(model, "lfw", faces, **QUICK).environment
    assert environment.onnxruntime == "1.20.1"


def test_embeddings_need_no_opencv(faces: Path) -> None:
    keys = sorted(str(path.relative_to(faces / "lfw")) for path in faces.rglob("*.jpg"))
    np.save(faces / "e.npy", np.random.default_rng(0).normal(size=(len(keys), 8)))
    (faces / "n.txt").write_text("\n".join(keys))
    given = [(faces / "e.npy", faces / "n.txt")]
    (record,) = evaluate_many([], ["lfw"], faces, embeddings=given, **QUICK)
    assert (record.environment.opencv, record.environment.device) == ("", "none")


def test_keywords_are_the_fields_of_settings() -> None:
    keywords = signature(evaluate_many).parameters
    for field in dataclasses.fields(Settings):
        assert keywords[field.name].default == field.default
    assert "settings" not in keywords


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rule": "exakt"}, "did you mean 'exact'"),
        ({"on_missing": "ignore"}, "unknown on_missing='ignore'"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Settings(**settings)


def test_nothing_to_evaluate() -> None:
    with pytest.raises(UserError, match="at least one model"):
        evaluate_many([], ["lfw"])


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        ({"pooling": "mean-scor"}, "unknown pooling 'mean-scor'; did you mean 'mean-score'"),
        ({"frames": "evry-5"}, "'evry-5'"),
    ],
)
def test_mistyped_poolings_and_frames_are_told_before_anything_is_found_or_rendered(
    monkeypatch: pytest.MonkeyPatch, choice: dict[str, str], line: str
) -> None:
    def never(*given: object, **named: object) -> None:
        raise AssertionError("faces were looked for")

    monkeypatch.setattr("facebench.evaluation.evaluate.prepare_run", never)
    with pytest.raises(UserError, match=line):
        Settings(**choice)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=line):
        evaluate_many(["baseline"], ["ytf"], "synthetic", **choice)  # type: ignore[arg-type]
