"""Acme Pay for Twintill: the smallest adapter that keeps the whole contract."""
