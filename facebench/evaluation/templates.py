"""The embeddings of a protocol's faces as their template keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from facebench.base.errors import UserError
from facebench.embedding.types import Embeddings
from facebench.similarity.templates import Template, kept


def kept_parts(parts: Iterable[Embeddings], template: Template) -> Iterator[Embeddings]:
    """Parts of embeddings, each face as it comes back from its bytes.

    UserError: a number that the template cannot hold; after the last part, that all faces were kept
    alike, of which no threshold tells anything.
    """
    first, varied, acquired = None, False, 0
    for part in parts:
        rows = kept(part.vectors, template.code)
        there = rows[part.acquired]
        acquired += len(there)
        if first is None and len(there):
            first = there[0].copy()
        varied = varied or bool((there != first).any())
        yield replace(part, vectors=rows)
    if acquired > 1 and not varied:
        why = ": no number is on either side of zero" if template.code == "binary" else ""
        raise UserError(
            f"template {template.name} keeps all {acquired:,} faces alike{why}; choose another"
        )
