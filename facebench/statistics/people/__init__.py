"""Who is like whom among many people: labels that may be wrong, faces that are the same."""
