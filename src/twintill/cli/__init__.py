"""The command line: `twintill --help`."""

from twintill.cli.main import main

__all__ = ["main"]
