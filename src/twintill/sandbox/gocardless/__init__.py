"""A stand-in GoCardless: its API and webhooks in front of the sandbox processor's engine."""
