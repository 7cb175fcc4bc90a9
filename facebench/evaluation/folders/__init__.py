"""Folders of faces looked at with a model: their faults, and people whom two folders share."""
