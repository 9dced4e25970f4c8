"""A webhook endpoint from the start, with a secret that its receiver knows already."""

from __future__ import annotations

from twintill.sandbox.stripe.world import World


def add_endpoint(world: World, url: str, secret: str) -> None:
    """All events go there; the API shows it like any other endpoint."""
    endpoint = world.add(
        {
            "id": world.ids.new("we"),
            "object": "webhook_endpoint",
            "api_version": None,
            "application": None,
            "created": 0,
            "description": "set when the sandbox was started",
            "enabled_events": ["*"],
            "livemode": False,
            "metadata": {},
            "status": "enabled",
            "url": url,
        }
    )
    world.secrets[endpoint["id"]] = secret
