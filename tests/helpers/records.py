"""Records made from drawn scores, without a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facebench.evaluation.build import Facts, build_record
from facebench.protocols.cards import VerificationCard, load_protocol
from facebench.protocols.kinds.verification import SINGLE_FACES, verification
from facebench.protocols.outcome import Comparisons, FoldOutcome
from facebench.records.record import Record
from facebench.records.sections import DataSection, EnvironmentSection, ModelSection, RunSection

MakeRecord = Callable[..., Record]


def comparisons(folds: int = 10, per_kind: int = 300) -> Comparisons:
    """Pairs of faces of which every person has two, in an LFW-like order."""
    n = 2 * folds * per_kind
    mated = np.tile(np.repeat([True, False], per_kind), folds)
    fold = np.repeat(np.arange(1, folds + 1), 2 * per_kind)
    left = np.arange(n) * 2
    subjects = np.empty(2 * n, dtype=np.int64)
    subjects[0::2] = np.arange(n)
    subjects[1::2] = np.where(mated, np.arange(n), np.roll(np.arange(n), 1))
    keys = tuple(f"P{index:05d}/P{index:05d}_0001.jpg" for index in range(2 * n))
    return Comparisons(keys, left, left + 1, mated, fold, subjects)


@pytest.fixture
def make_record() -> MakeRecord:
    """make_record(model, kind, seed, strength, failures, per_kind, draws) -> Record."""
    return drawn_record


def drawn_record(
    model: str = "sparse_074",
    kind: str = "real",
    seed: int = 0,
    strength: float = 3.5,
    failures: int = 0,
    per_kind: int = 300,
    draws: int = 50,
    created: str = "2026-01-02T03:04:05+00:00",
    weights: str = "ab" * 32,
    variant: str = "",
    edition: str = "",
    published_list: bool | None = None,
    protocol: str = "lfw",
) -> Record:
    """A record of scores drawn from two normal distributions ``strength`` apart."""
    card = load_protocol(protocol)
    assert isinstance(card, VerificationCard)
    pairs = comparisons(per_kind=per_kind)
    noise = np.random.default_rng(7).normal(size=len(pairs))  # common to all models
    noise = 0.9 * noise + 0.45 * np.random.default_rng(seed).normal(size=len(pairs))
    scores = np.tanh((noise + strength * pairs.mated) / 8)
    acquired = np.ones(len(pairs), dtype=np.bool_)
    acquired[:failures] = False
    scores[:failures] = -np.inf
    statistics = verification(card, pairs, scores, acquired, draws=draws)
    facts = drawn_facts(
        len(pairs.keys), model, kind, failures, created, weights, variant, edition, published_list
    )
    return build_record(card, FoldOutcome(pairs, scores, statistics, card.spread), facts)


def drawn_facts(
    faces: int,
    model: str = "sparse_074",
    kind: str = "real",
    failures: int = 0,
    created: str = "2026-01-02T03:04:05+00:00",
    weights: str = "ab" * 32,
    variant: str = "",
    edition: str = "",
    published_list: bool | None = None,
) -> Facts:
    """What a record says beside its statistics."""
    synthetic = kind == "synthetic"
    return Facts(
        model=ModelSection(
            id=model,
            weights_hash=weights,
            parameters=17_836_928,
            kept_parameters=13_199_327,
            compression_ratio=0.74,
            bytes=26_600_000,
            dimension=512,
            precision="float32",
            preprocessing="rgb 112x96 mean=127.5 scale=128",
            variant=variant,
            flip="add",
        ),
        data=DataSection(
            name="lfw",
            kind=kind,
            fingerprint="synthetic-lfw-v1-s0" if synthetic else "lfw-0123456789abcdef",
            faces=faces,
            notice="These faces are rendered; no number here is about real faces."
            if synthetic
            else None,
        ),
        alignment="landmarks-5pt(0f1e2d3c)->similarity",
        pooling=SINGLE_FACES,
        similarity="cosine",
        policy="count" if failures else "error",
        failed_faces=failures,
        seed=0,
        environment=EnvironmentSection(torch="2.13.0", numpy="2.4.6", device="cpu", batch=32),
        run=RunSection(created=created, host="here", threads=2, seconds={"total": 1.5}),
        edition=edition,
        published_list=published_list,
    )
