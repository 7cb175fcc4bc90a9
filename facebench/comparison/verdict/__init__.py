"""Sentences that say what records come to: the one place where any is made."""
