"""Tables of groups: their rates, how far apart these are, and who pays for a smaller model."""
