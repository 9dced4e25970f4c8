"""The account itself, and its tax settings."""

from __future__ import annotations

from twintill.sandbox.stripe.calls import Call, Route
from twintill.sandbox.stripe.world import Json, World


def get_account(world: World, _call: Call) -> Json:
    settings = world.settings
    return {
        "id": settings.account_id,
        "object": "account",
        "charges_enabled": True,
        "country": settings.account_country,
        "default_currency": settings.default_currency,
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": settings.account_name, "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def get_tax_settings(world: World, _call: Call) -> Json:
    return {
        "object": "tax.settings",
        "defaults": {"provider": "stripe", "tax_behavior": "exclusive", "tax_code": None},
        "head_office": {"address": {"country": world.settings.account_country}},
        "livemode": False,
        "status": "active",
        "status_details": {"active": {}},
    }


ROUTES = [
    Route("GET", "/v1/account", get_account, {"expand": ["str"]}),
    Route("GET", "/v1/tax/settings", get_tax_settings, {"expand": ["str"]}),
]
