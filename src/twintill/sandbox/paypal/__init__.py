"""A stand-in PayPal: Vault v3, Orders v2, Payments v2, disputes, reports, and signed webhooks."""

from twintill.sandbox.paypal.app import create_app
from twintill.sandbox.paypal.face import PayPalFace
from twintill.sandbox.paypal.settings import PayPalSandboxSettings

__all__ = ["PayPalFace", "PayPalSandboxSettings", "create_app"]
