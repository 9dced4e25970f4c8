"""PayPal's adapter against the contract, over real HTTP with the stand-in."""

from tests.processors.paypal_stage import paypal_stage
from twintill.testing import Contract


class TestPayPal(Contract):
    opened = staticmethod(paypal_stage)
