"""The signature: one line that says what a number depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facebench.reporting.record import Record


def signature_of(record: Record) -> str:
    """One line that pins everything the numbers depend on, in a fixed order.

    Words are those of the design's vocabulary; ``|`` separates them and is in none of them.
    """
    model, data, protocol = record.model, record.data, record.protocol
    words = {
        "facebench": record.facebench,
        "protocol": f"{protocol.name}.v{protocol.version}{protocol.edition}",
        "pairs": record.comparisons.fingerprint,
        "data": data.fingerprint,
        "model": model.id,
        "weights": model.weights_hash[:16],
        "input": model.preprocessing,
        **({"variant": model.variant} if model.variant else {}),
        **({"guessed": model.guessed} if model.guessed else {}),
        "flip": model.flip,
        "precision": model.precision,
        "align": record.alignment,
        "missing": record.failures_to_acquire.policy,
        "pooling": record.pooling,
        "similarity": record.similarity,
        "rule": record.rule,
        "spread": record.statistics.spread_kind,
        "bootstrap": f"{record.bootstrap.draws} draws, seed {record.bootstrap.seed}",
    }
    return "|".join(f"{word}:{_plain(value)}" for word, value in words.items())


def _plain(text: str) -> str:
    """One line without the separator."""
    return " ".join(text.replace("|", "/").split())
