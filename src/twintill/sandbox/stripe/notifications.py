"""Events and webhook endpoints: the calls of the API."""

from __future__ import annotations

import re
from typing import Any

from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.drafting import webhooks_delivered
from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.world import Json, World, merge_metadata, text_or_none

# Older versions show invoices and subscriptions in another shape, which the sandbox does not know.
OLDEST_VERSION = "2025-03-31.basil"
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z_]+)?\Z")
_EXPAND: dict[str, Any] = {"expand": ["str"]}


def check_version(version: str, param: str | None = None) -> None:
    if not _VERSION.match(version):
        raise invalid(f"Invalid Stripe API version: {version}", param=param)
    if version < OLDEST_VERSION:
        raise invalid(
            f"The sandbox knows API versions from {OLDEST_VERSION} on, not {version}.",
            param=param,
        )


def list_events(world: World, call: Call) -> Json:
    params = call.params
    types = set(params.get("types") or [])
    if len(types) > 20:
        raise invalid("Pass up to 20 types.", param="types")
    if params.get("type"):
        types.add(params["type"])
    success = params.get("delivery_success")

    def matches(row: Json) -> bool:
        return (
            (not types or any(_is_of(row["type"], wanted) for wanted in types))
            and in_range(row["created"], params.get("created"))
            and (success is None or (world.outbox.pending(row["id"]) == 0) == success)
        )

    return page(call, filter(matches, reversed(world.all("event").values())), "event")


def get_event(world: World, call: Call) -> Json:
    return world.find("event", call.id)


def create_endpoint(world: World, call: Call) -> Json:
    params = call.params
    version = text_or_none(params.get("api_version"))
    if version:
        check_version(version, "api_version")
    if not params["url"].startswith(("http://", "https://")):
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.",
                      code="url_invalid", param="url")  # fmt: skip
    endpoint = world.add(
        {
            "id": world.ids.new("we"),
            "object": "webhook_endpoint",
            "api_version": version,
            "application": None,
            "created": call.at,
            "description": text_or_none(params.get("description")),
            "enabled_events": params["enabled_events"],
            "livemode": False,
            "metadata": merge_metadata({}, params.get("metadata")),
            "status": "enabled",
            "url": params["url"],
        }
    )
    world.secrets[endpoint["id"]] = world.ids.secret()
    # The one time that the secret is shown.
    return {**endpoint, "secret": world.secrets[endpoint["id"]]}


def update_endpoint(world: World, call: Call) -> Json:
    endpoint, params = world.find("webhook_endpoint", call.id), call.params
    for name in ("enabled_events", "url"):
        if params.get(name):
            endpoint[name] = params[name]
    if "description" in params:
        endpoint["description"] = text_or_none(params["description"])
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if endpoint["status"] == "disabled":
        _forget_deliveries(world, endpoint["id"], call)
    endpoint["metadata"] = merge_metadata(endpoint["metadata"], params.get("metadata"))
    return endpoint


def delete_endpoint(world: World, call: Call) -> Json:
    endpoint = world.find("webhook_endpoint", call.id)
    _forget_deliveries(world, call.id, call)
    world.secrets.pop(call.id, None)
    return world.remove(endpoint)


def list_endpoints(world: World, call: Call) -> Json:
    return page(call, reversed(world.all("webhook_endpoint").values()), "webhook_endpoint")


def _forget_deliveries(world: World, endpoint_id: str, call: Call) -> None:
    """Nobody waits any longer for what this endpoint has not answered."""
    world.outbox.forget_endpoint(endpoint_id)
    for invoice in world.all("invoice").values():
        waiting = invoice["status"] == "draft" and invoice["webhooks_delivered_at"] is None
        if waiting and not world.outbox.pending(world.created_events[invoice["id"]]):
            moment = world.moment_of(invoice["customer"], call.moment)
            webhooks_delivered(world, invoice, moment.at)


def _is_of(type: str, wanted: str) -> bool:
    return type == wanted or (wanted.endswith(".*") and type.startswith(wanted[:-1]))


_ENDPOINT: dict[str, Any] = {**_EXPAND, "description": "str", "metadata": "metadata"}
ROUTES = [
    Route(
        "GET",
        "/v1/events",
        list_events,
        {
            **PAGING,
            "created": "range",
            "delivery_success": "bool",
            "type": "str",
            "types": ["str"],
        },
    ),
    Route("GET", "/v1/events/{}", get_event, _EXPAND),
    Route(
        "POST",
        "/v1/webhook_endpoints",
        create_endpoint,
        {
            **_ENDPOINT,
            "api_version": "str",
            "connect": "bool",
            "enabled_events!": ["str"],
            "url!": "str",
        },
    ),
    Route("GET", "/v1/webhook_endpoints", list_endpoints, PAGING),
    Route(
        "GET",
        "/v1/webhook_endpoints/{}",
        lambda world, call: world.find("webhook_endpoint", call.id),
        _EXPAND,
    ),
    Route(
        "POST",
        "/v1/webhook_endpoints/{}",
        update_endpoint,
        {**_ENDPOINT, "disabled": "bool", "enabled_events": ["str"], "url": "str"},
    ),
    Route("DELETE", "/v1/webhook_endpoints/{}", delete_endpoint),
]
