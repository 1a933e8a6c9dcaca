"""The command line: thin commands over `mmrecun.jobs`. Their modules load nothing heavy before they are called."""

from mmrecun.cli.main import main

__all__ = ["main"]
