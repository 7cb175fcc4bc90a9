"""The groups of a protocol's people, images or pairs: where their labels come from."""
