"""Two tills, one ledger: Stripe bills, any processor collects."""
