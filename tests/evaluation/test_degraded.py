"""Protocols on degraded faces: which crops a network sees, and what is told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import facebench
from facebench.base.errors import UserError
from facebench.embedding.store import EmbeddingStore
from facebench.faces.degrade.kernels import as_jpeg, reduced
from facebench.protocols.cards import edition_of, load_protocol
from facebench.records.comparability import measured_otherwise
from facebench.records.files import record_path
from tests.evaluation.test_evaluate import QUICK, Grey
from tests.helpers.ytf_folders import write_ytf


class Blind(Grey):
    """Sees every crop as a degradation would leave it."""

    def __init__(self, degrade: Any = lambda crop: crop) -> None:
        super().__init__()
        self.degrade, self.weights_hash = degrade, "34" * 32
        self.crops: list[NDArray[np.uint8]] = []

    def forward(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.crops += list(faces)
        return super().forward(np.stack([self.degrade(face) for face in faces]))


def evaluated(model: Grey, protocol: str, faces: Path, **settings: Any) -> facebench.Record:
    if protocol.startswith("lfw"):
        settings["align"] = "centre"
    return facebench.evaluate(model, protocol, faces, **QUICK | settings)


def scores(record: facebench.Record) -> NDArray[np.floating]:
    assert record.table is not None
    return record.table.scores


@pytest.mark.parametrize("protocol", ["lfw", "lfw-all-pairs"])
def test_the_network_sees_degraded_crops(faces: Path, protocol: str) -> None:
    found = evaluated(Grey(), f"{protocol}+14px+jpeg20", faces)
    seen = evaluated(Blind(lambda crop: as_jpeg(reduced(crop, 14), 20)), protocol, faces)
    assert found.statistics == seen.statistics
    assert found.protocol.name == f"{protocol}+14px+jpeg20"
    if protocol == "lfw":
        assert np.array_equal(scores(found), scores(seen))
        assert not np.array_equal(scores(found), scores(evaluated(Grey(), protocol, faces)))


def test_of_a_probe_alone_the_second_face_of_a_pair_is_degraded(faces: Path) -> None:
    model = Blind()
    evaluated(model, "lfw", faces, store=False)
    prepared = [evaluated(Grey(), name, faces) for name in ("lfw", "lfw+7px", "lfw+7px.probe")]
    plain, both, probe = map(scores, prepared)
    assert not np.array_equal(probe, plain) and not np.array_equal(probe, both)
    from facebench.protocols.kinds.verification import prepare
    from facebench.protocols.settings import Settings

    ready = prepare(load_protocol("lfw"), faces, Settings(align="centre"), images=True)  # type: ignore[arg-type]
    cut = ready.faces.aligner
    assert cut is not None and ready.faces.source is not None
    crops = [cut(key, ready.faces.source.read(key), (112, 96)) for key in ready.comparisons.keys]
    whole = Grey().forward(np.stack(crops))  # type: ignore[arg-type]
    small = Grey().forward(np.stack([reduced(crop, 7) for crop in crops if crop is not None]))
    for row, (left, right) in enumerate(
        zip(ready.comparisons.left, ready.comparisons.right, strict=True)
    ):
        one, other = whole[left].astype(np.float64), small[right].astype(np.float64)
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert probe[row] == pytest.approx(cosine, abs=1e-6)
    assert prepared[2].data.faces == 16 and prepared[2].failures_to_acquire.faces == 0


def test_a_crop_that_was_degraded_otherwise_is_never_taken_from_the_store(faces: Path) -> None:
    def seen(protocol: str) -> int:
        model = Grey()
        evaluated(model, protocol, faces)
        return model.seen

    assert [seen("lfw"), seen("lfw")] == [16, 0]
    assert [seen("lfw+14px"), seen("lfw+28px"), seen("lfw+jpeg20+14px")] == [16, 16, 16]
    assert [seen("lfw+14px"), seen("lfw+28px")] == [0, 0]
    assert seen("lfw+14px.probe") == 0  # of lfw and lfw+14px
    assert seen("lfw+dark0.5.probe") == 16
    assert seen("lfw+dark0.5") == 0
    sources = {run.source for run in EmbeddingStore().entries()}
    assert sources == {"lfw", "lfw+14px", "lfw+28px", "lfw+jpeg20+14px", "lfw+dark0.5"}


def test_keys_of_faces_as_they_are_do_not_change(faces: Path) -> None:
    """What the store had before there were degradations is still found."""
    evaluated(Grey(), "lfw", faces)
    (run,) = EmbeddingStore().entries()
    manifest = (EmbeddingStore().folder / run.key / "manifest.json").read_text("utf-8")
    assert '"aligner": "centre-crop(lfw-mean-landmarks)->similarity"' in manifest
    assert '"source": "lfw"' in manifest and "degrad" not in manifest


def test_records_are_told_apart_by_the_name_of_the_protocol(faces: Path) -> None:
    plain, hard = (evaluated(Grey(), name, faces) for name in ("lfw", "lfw+28px+jpeg20.probe"))
    assert hard.protocol.name == "lfw+28px+jpeg20.probe"
    assert "|protocol:lfw+28px+jpeg20.probe.v1|" in hard.signature
    assert hard.protocol.title.endswith("at 28 rows of pixels, JPEG of quality 20 (probes only)")
    assert record_path(hard, Path("r")).parts[1] == "lfw+28px+jpeg20.probe"
    assert hard.protocol.edition == plain.protocol.edition == ""
    assert hard.comparisons == plain.comparisons and hard.alignment == plain.alignment
    assert any("protocol" in words for words in measured_otherwise(plain, hard))


@pytest.mark.parametrize("name", ["lfw-open", "lfw-closed"])
def test_a_search_degrades_its_probes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a list of one draw: the gallery as it is, the probes through the other crops."""
    from facebench.embedding.types import Embeddings
    from facebench.protocols.kinds.identification import PreparedIdentification
    from facebench.protocols.kinds.search_lists import SearchList
    from facebench.protocols.prepared import ProtocolFaces
    from facebench.protocols.settings import DEFAULTS
    from facebench.similarity import Cosine

    keys = tuple(f"{person}/{n}.jpg" for person in "ABCDE" for n in (1, 2))
    rng = np.random.default_rng(0)
    plain, hard = (rng.normal(size=(10, 6)).astype(np.float32) for _ in range(2))
    people = np.repeat(np.arange(5), 2)
    strangers = [8] if name == "lfw-open" else []
    drawn = SearchList(np.array([0, 2, 4]), np.array([1, 3, 5, *strangers]))
    card = load_protocol(f"{name}+14px.probe")
    ready = PreparedIdentification(
        card, ProtocolFaces(keys, "lfw", "real"), people, tuple("ABC"), tuple("ABC"), (drawn,)  # type: ignore[arg-type]
    )  # fmt: skip

    def parts() -> Iterator[Embeddings]:
        yield Embeddings(keys, plain, np.ones(10, np.bool_))
        yield Embeddings(keys, hard, np.ones(10, np.bool_))

    outcome = ready.run(parts(), Cosine(), DEFAULTS)

    def unit(rows: NDArray[np.float32]) -> NDArray[np.floating]:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    alike = unit(plain[drawn.gallery]) @ unit(hard[drawn.probes]).T
    first = np.argmax(alike[:, :3], axis=0) == np.arange(3)
    rank_1 = next(rate for rate in outcome.rates if rate.name == "rank")
    assert rank_1.value == pytest.approx(first.mean())


def test_frames_of_videos_are_degraded_and_of_the_second_video_alone(tmp_path: Path) -> None:
    folder = write_ytf(tmp_path)

    def of(model: Grey, name: str, **settings: Any) -> NDArray[np.floating]:
        return scores(evaluated(model, name, folder, **settings))

    seen = of(Blind(lambda crop: reduced(crop, 7)), "ytf")
    assert np.array_equal(of(Grey(), "ytf+7px"), seen)
    for pooling in ("mean-score", "max-score"):
        plain, both = (of(Grey(), name, pooling=pooling) for name in ("ytf", "ytf+7px"))
        probe = of(Grey(), "ytf+7px.probe", pooling=pooling)
        assert not np.allclose(probe, plain) and not np.allclose(probe, both)
        swapped = write_swapped(folder)
        of_left = of(Grey(), "ytf+7px.probe", pooling=pooling, pairs=swapped)
        assert not np.allclose(of_left, probe)  # the other video is the probe now
        assert np.allclose(of(Grey(), "ytf+7px", pooling=pooling, pairs=swapped), both)


def write_swapped(folder: Path) -> Path:
    head, *rows = (folder / "splits.txt").read_text().splitlines()
    path = folder / "swapped.txt"
    lines = [", ".join([a, b, d, c, e]) for a, b, c, d, e in (row.split(", ") for row in rows)]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lfw+14", "protocol lfw+14: '14' is no degradation; did you mean '14px'?"),
        ("lfw+113px", "113px is more than the 112 rows of the crops of grey; choose at most 112px"),
        ("lfw+", "protocol lfw+: '' is no degradation (14px"),
        ("lwf+14px", "no protocol 'lwf'; did you mean 'lfw'?"),
        ("lfw-all-pairs+14px.probe", "all-pairs has no side"),
        ("ijba+14px.probe", "write +14px for both sides"),
    ],
)
def test_wrong_names_get_one_line(faces: Path, name: str, told: str) -> None:
    model = Grey()
    with pytest.raises(UserError, match=re.escape(told)):
        evaluated(model, name, faces)
    assert not model.seen


def test_embeddings_and_scores_have_no_pixels(faces: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.eye(2, dtype=np.float32))
    (tmp_path / "names.txt").write_text("a\nb\n")
    files = [(tmp_path / "mine.npy", tmp_path / "names.txt")]
    told = r"lfw\+14px: embeddings were given \(mine\), and only images can be degraded"
    with pytest.raises(UserError, match=told):
        facebench.evaluate_many([], "lfw+14px", faces, embeddings=files, **QUICK)
    (tmp_path / "s.csv").write_text("image_a,image_b,score\na,b,0.5\n")
    with pytest.raises(UserError, match=r"scores were given \(s\)"):
        facebench.evaluate_many([], "lfw+14px", faces, scores=[tmp_path / "s.csv"], **QUICK)


def test_a_card_is_the_same_but_for_what_was_published(tmp_path: Path) -> None:
    plain, hard = load_protocol("lfw"), load_protocol("lfw+14px")
    assert hard.plain == plain and plain.plain is plain and plain.degradation is None
    assert hard.published == () and plain.published  # type: ignore[attr-defined]
    same = {"name", "title", "published"}
    assert hard.model_dump(exclude=same) == plain.model_dump(exclude=same)
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nkind = "verification"\nversion = 1\ntitle = "T"\nsource = "S"\n'
        'dataset = "lfw"\n'
    )
    own = load_protocol(f"{path}+14px")
    assert own.name == "mine+14px" and own.folder == tmp_path
    assert edition_of(own) == edition_of(load_protocol(str(path))) != ""
