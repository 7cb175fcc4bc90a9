"""The trained weights of a ConvNet card: found, checked, and put into a network."""

from __future__ import annotations

from facebench.errors import UserError
from facebench.nets.cards import ModelCard
from facebench.nets.convnet import ConvNet, module_name
from facebench.nets.packed import PackedWeights, load_packed
from facebench.nets.sparse import apply_masks


def network_of(card: ModelCard) -> ConvNet:
    """The ConvNet of a card with its trained weights and masks, for further pruning or training."""
    if card.architecture != "convnet":
        raise UserError(f"model {card.name!r} is {card.architecture}, not a convnet of facebench")
    packed = packed_weights(card)
    assert card.width is not None and card.preprocessing.size is not None
    net = ConvNet(card.width, card.preprocessing.size)
    fits(net, packed, card)
    net.load_state_dict(packed.state)
    apply_masks(net, packed.masks)
    return net


def packed_weights(card: ModelCard) -> PackedWeights:
    """The weights of a ConvNet card, hash checked; UserError where the card has none yet."""
    path = card.weights_path
    if path is None:
        raise UserError(
            f"model {card.name!r} has no trained weights yet: {card.path} names none; choose one "
            "that `facebench models` lists with weights, or train it and publish them"
        )
    if not path.is_file():
        raise UserError(
            f"model {card.name!r}: its weights {path} are not there; fetch them again or correct "
            f"'weights' in {card.path}"
        )
    return load_packed(path, card.sha256)


def fits(net: ConvNet, packed: PackedWeights, card: ModelCard) -> None:
    """UserError where weights or masks are not those of the card's network."""
    where = card.weights_path
    wanted, given = net.state_dict(), packed.state
    for name in [*wanted, *given]:
        if name not in given or name not in wanted:
            state = "lack" if name in wanted else "have an unexpected"
            raise UserError(f"{where}: the weights {state} {name!r} of width {card.width}")
        if wanted[name].shape != given[name].shape:
            raise UserError(
                f"{where}: {name} is {tuple(given[name].shape)}; a ConvNet of width {card.width} "
                f"needs {tuple(wanted[name].shape)}: correct 'width' or 'size' in {card.path}"
            )
    sparse = {module_name(layer): degree for layer, degree in card.degrees.items() if degree < 1}
    if set(sparse) != set(packed.masks):
        raise UserError(
            f"{where}: sparse in {', '.join(packed.masks) or 'no layer'}; the card says "
            f"{', '.join(sparse) or 'none'}: correct 'sparsity' in {card.path}"
        )
    for name, mask in packed.masks.items():
        share = float(mask.float().mean())
        if not 0.75 <= share / sparse[name] <= 1.25:
            raise UserError(
                f"{where}: keeps {share:.4g} of {name}; the card says {sparse[name]}: correct "
                f"'sparsity' in {card.path}"
            )
