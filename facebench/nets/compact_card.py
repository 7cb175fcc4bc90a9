"""What a card of a compact network must say, and the sizes that it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from facebench.nets.compact import ARCHITECTURES, build, smallest_side
from facebench.nets.compact_net import CompactNet

if TYPE_CHECKING:
    from facebench.nets.cards import ModelCard


# The architectures of `compact.ARCHITECTURES`, for the type of a card's field.
Compact = Literal[
    "squeezenet1_1", "mobilenet_v2", "resnet50", "mobilefacenet", "deepid2_plus", "deepid3"
]


class Shape(NamedTuple):
    """What a compact network is built from; size: height and width."""

    architecture: str
    embedding: int
    size: tuple[int, int]
    width: float

    def net(self) -> CompactNet:
        """The network with all its filters and first weights."""
        return build(*self)


def is_compact(card: ModelCard) -> bool:
    """Whether a card is of a compact network or of one of its teachers."""
    return card.architecture in ARCHITECTURES


def check_compact(card: ModelCard) -> None:
    """ValueError where the fields of compact networks are wrong, or stand in another card."""
    if not is_compact(card):
        if card.embedding is not None or card.filters_removed is not None:
            raise ValueError(
                f"embedding and filters_removed belong to {', '.join(ARCHITECTURES)}, not to "
                f"architecture {card.architecture!r}"
            )
        return
    if card.sparsity:
        raise ValueError("sparsity belongs to architecture 'convnet'")
    size = card.preprocessing.size
    if card.embedding is None or size is None:
        raise ValueError(f"a {card.architecture} needs embedding and preprocessing.size")
    if (card.weights is None) != (card.sha256 is None):
        raise ValueError(f"a {card.architecture} has both weights and sha256, or neither")
    if min(size) < (least := smallest_side(card.architecture)):
        raise ValueError(
            f"size {size[0]}x{size[1]} is too small for {card.architecture}, which takes at least "
            f"{least}x{least}"
        )


def shape_of(card: ModelCard) -> Shape:
    """What the network of a compact card is built from."""
    assert is_compact(card) and card.embedding is not None and card.preprocessing.size is not None
    return Shape(card.architecture, card.embedding, card.preprocessing.size, card.width or 1.0)
