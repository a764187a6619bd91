"""The command ``alkit``, as ``python -m alkit``."""

from alkit.annotate.cli import main

if __name__ == "__main__":
    main()
