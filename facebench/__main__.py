"""``python -m facebench`` is ``facebench``."""

from facebench.cli.app import main

if __name__ == "__main__":
    main()
