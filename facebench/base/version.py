"""The version of facebench."""

__version__ = "0.1.0"
