"""What all compact networks share: an embedding head, its sizes and the first weights."""

from __future__ import annotations

from torch import Tensor, nn

from facebench.nets.layers import LocallyConnected2d


class CompactNet(nn.Module):
    """A trunk that turns faces into features, and a layer ``embedding`` that turns these into N×D.

    ``dimension``: D; ``input_size``: height and width that it was built for; ``architecture``,
    ``width``: what `compact.build` was asked for; ``classifier``: what torchvision calls the layers
    after the trunk, whose weights `load_trunk` leaves out.
    """

    architecture = ""
    width = 1.0
    classifier = ""
    embedding: nn.Module

    def __init__(self, dimension: int, input_size: tuple[int, int]) -> None:
        super().__init__()
        self.dimension = dimension
        self.input_size = (input_size[0], input_size[1])

    def trunk(self, x: Tensor) -> Tensor:
        """What the embedding layer sees: float32 N×3×H×W → float32 N×C."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings: float32 N×3×H×W, normalised → float32 N×D."""
        return self.embedding(self.trunk(x))


def initialise(net: nn.Module) -> None:
    """First weights of a network to train: He for rectified layers, of variance 1/n for embeddings.

    Without batch normalisation (SqueezeNet, DeepID) torch's own choice would let the activations
    fade with depth. Source: He et al. 2015, Delving Deep into Rectifiers, eq. 10.
    """
    for name, module in net.named_modules():
        if isinstance(module, LocallyConnected2d):
            continue  # has done it
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            linear = name.startswith("embedding")
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear" if linear else "relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
