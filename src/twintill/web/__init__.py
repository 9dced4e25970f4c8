"""The doors: webhooks, REST API, pages; they parse, verify, store, answer, and decide nothing."""
