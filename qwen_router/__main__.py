"""The command `qwen-router`, also as `python -m qwen_router`: imports the command line, quietly when interrupted."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from qwen_router.cli import main as run
    except KeyboardInterrupt:  # the imports take a moment, and Ctrl-C then is no error either
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
