"""A stand-in Stripe: Billing as its client sees it, with state, time, webhooks and faults."""

from twintill.sandbox.stripe.app import StripeSandbox, create_app, serve
from twintill.sandbox.stripe.settings import StripeSandboxSettings

__all__ = ["StripeSandbox", "StripeSandboxSettings", "create_app", "serve"]
