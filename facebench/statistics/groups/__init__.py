"""Error rates of groups of people, images or pairs, and whether they differ more than chance."""
