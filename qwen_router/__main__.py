"""`python -m qwen_router` is the command `qwen-router`."""

from qwen_router.cli import main

main()
