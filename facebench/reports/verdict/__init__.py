"""What reports come to: sentences of a card, and of a group of cards."""
