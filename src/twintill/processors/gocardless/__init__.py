"""The adapter of GoCardless: bank debits, taken now and told days later."""

from twintill.processors.gocardless.adapter import GoCardless

__all__ = ["GoCardless"]
