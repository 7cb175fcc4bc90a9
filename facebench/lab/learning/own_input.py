"""A brought network behind a layer that makes its own input of the faces that trainings make."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facebench.base.errors import UserError
from facebench.lab.data.augment import FACE_SIZE
from facebench.models.cards.card import ModelCard, PreprocessingFields
from facebench.models.embedders.torch import chosen_output

LEARNED_SIZES = (FACE_SIZE, (112, 112))  # of faces that training crops show


class OwnInput(nn.Module):
    """float32 N×3×112×96 in [-1, 1), RGB, as `to_input` makes them → what the network makes of the
    same faces, prepared as its card says; float N×E.

    A face of 112×112 has its border's pixels again on both sides, since augmented crops end there;
    one of any other size is resampled, which will do to trace a network, and not to train it.
    """

    def __init__(self, net: nn.Module, prepared: PreprocessingFields, output: str | None) -> None:
        super().__init__()
        assert prepared.size is not None
        self.net, self.size, self.output = net, prepared.size, output
        self.input_size, self.bgr = FACE_SIZE, prepared.colour == "bgr"
        shape = (1, 3, 1, 1)
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.tensor(prepared.mean).reshape(shape), persistent=False)
        self.register_buffer("scale", torch.tensor(prepared.scale).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x * 128.0 + 127.5
        x = self._fitted(x.flip(1) if self.bgr else x)
        return chosen_output("", self.net((x - self.mean) / self.scale), self.output)

    def _fitted(self, x: Tensor) -> Tensor:
        (height, width), own = x.shape[2:], self.size
        if own == (height, width):
            return x
        if own[0] == height and own[1] > width:
            left = (own[1] - width) // 2
            return F.pad(x, (left, own[1] - width - left, 0, 0), mode="replicate")
        return F.interpolate(x, own, mode="bilinear", align_corners=False, antialias=True)

    @property
    def embedding(self) -> int:
        """E; UserError: its output is no list of embeddings."""
        with torch.no_grad():
            shape = self.eval()(torch.zeros(2, 3, *FACE_SIZE)).shape
        if len(shape) != 2 or shape[0] != 2:
            raise UserError(
                f"its output for two faces is {'x'.join(map(str, shape))}, and must be one list of "
                "numbers for each; name another output in its card"
            )
        return int(shape[1])


def require_learnable(card: ModelCard) -> None:
    """UserError where training crops do not show what a brought network takes."""
    size = card.preprocessing.size
    if size not in LEARNED_SIZES:
        height, width = size or (0, 0)
        raise UserError(
            f"{card.name} takes {height}x{width} faces; training crops are of 112x96 and 112x112: "
            "leave out --data, and it is made smaller without training"
        )
