"""`python -m twintill` is `twintill`."""

from twintill.cli import main

main()
