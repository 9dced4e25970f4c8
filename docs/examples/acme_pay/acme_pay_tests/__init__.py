"""How Acme Pay's adapter is tried."""
