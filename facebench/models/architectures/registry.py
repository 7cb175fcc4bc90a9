"""The compact networks and their teachers by name."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from facebench.base.errors import nearest

if TYPE_CHECKING:
    from facebench.models.architectures.base import CompactNet

Compact = Literal[
    "squeezenet1_1", "mobilenet_v2", "resnet50", "mobilefacenet", "deepid2_plus", "deepid3"
]
ARCHITECTURES: tuple[str, ...] = get_args(Compact)
# Module beside this one, and class: names, so that a list of models need not wait for torch.
_NETS = MappingProxyType(
    {
        "squeezenet1_1": ("squeezenet", "SqueezeNet"),
        "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
        "resnet50": ("resnet", "ResNet50"),
        "mobilefacenet": ("mobilefacenet", "MobileFaceNet"),
        "deepid2_plus": ("deepid", "DeepID2Plus"),
        "deepid3": ("deepid", "DeepID3"),
    }
)
_SMALLEST = {"deepid2_plus": 47, "deepid3": 80}


def build(
    architecture: str,
    embedding: int = 128,
    size: tuple[int, int] = (112, 96),
    width: float = 1.0,
) -> CompactNet:
    """A network ready to train: float32 N×3×H×W, normalised → float32 N×embedding.

    ``architecture``: one of `ARCHITECTURES`; ``size``: height and width of the faces; ``width``:
    factor on the channels of every layer but the embedding, rounded to multiples of 8. First
    weights come from torch's global generator. ValueError where a value is not possible.
    """
    if architecture not in _NETS:
        hint = nearest(architecture, ARCHITECTURES)
        raise ValueError(f"no network {architecture!r}{hint} ({', '.join(ARCHITECTURES)})")
    if embedding < 1 or not 0 < width <= 4:
        raise ValueError(f"embedding {embedding} must be positive, width {width} in (0, 4]")
    if min(size) < (least := smallest_side(architecture)):
        raise ValueError(f"{architecture} takes at least {least}x{least}, not {size[0]}x{size[1]}")
    module, name = _NETS[architecture]
    made = getattr(import_module(f"{__package__}.{module}"), name)
    net: CompactNet = made(embedding, (size[0], size[1]), width)
    net.architecture, net.width = architecture, width
    return net


def smallest_side(architecture: str) -> int:
    """The fewest pixels that a side of a network's input may have."""
    return _SMALLEST.get(architecture, 64)
