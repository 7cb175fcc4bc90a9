"""Makes the models behind the records beside this file, in ./models: sparse_074 with a share of the
kept weights of 5b set to zero at random. Then, with all of LFW:

    facebench eval -m resaved -m damaged_1 -m damaged_3 -p lfw --data LFW --out records
"""

from __future__ import annotations

from pathlib import Path

import torch

from facebench.models.cards.card import find_card
from facebench.models.cards.publish import publish_weights, write_card
from facebench.models.cards.trained import packed_weights

SHARES = {"resaved": 0.0, "slight": 0.01} | {f"damaged_{n}": n / 10 for n in (1, 2, 3, 4)}


def main() -> None:
    folder = Path("models")
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    card = find_card("sparse_074")
    packed = packed_weights(card)
    masks = {layer: mask.bool() for layer, mask in packed.masks.items()}
    for name, share in SHARES.items():
        state = {key: value.clone() for key, value in packed.state.items()}
        kept = packed.masks["local5b"].nonzero()
        order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))
        state["local5b.weight"][tuple(kept[order[: round(share * len(kept))]].T)] = 0
        lost = {"weights": None, "sha256": None, "metric": None, "notes": ""}
        named = card.model_copy(update={"name": name, "parent": "sparse_074", **lost})
        write_card(named, folder / f"{name}.toml")
        publish_weights(name, state, masks, {}, folder)


if __name__ == "__main__":
    main()
