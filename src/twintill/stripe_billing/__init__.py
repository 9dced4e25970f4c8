"""Stripe, the source of truth: the calls to it and the events from it."""
