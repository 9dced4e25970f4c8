"""The doors: webhooks, REST API, checkout pages; they parse, verify, store and answer, and decide nothing."""
