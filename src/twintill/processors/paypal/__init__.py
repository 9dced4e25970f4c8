"""The adapter of PayPal: wallets kept in its vault (v3), charged by one order each (Orders v2)."""

from twintill.processors.paypal.adapter import Account, PayPalProcessor
from twintill.processors.paypal.certificates import Trust

__all__ = ["Account", "PayPalProcessor", "Trust"]
