"""``python -m deltarule.cli``: the same as ``deltarule``."""

from . import main

if __name__ == "__main__":
    main()
