"""GoCardless's adapter against the contract, over real HTTP, at the stand-in GoCardless."""

from tests.processors.gocardless_stage import gocardless_stage
from twintill.testing import Contract


class TestGoCardless(Contract):
    opened = staticmethod(gocardless_stage)
