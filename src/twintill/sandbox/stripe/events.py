"""Events: every change is written down with a copy of the object, and addressed."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe.outbox import Delivery
from twintill.sandbox.stripe.world import Json, Moment, World, snapshot

_ABSENT: Any = object()


def emit(
    world: World, type: str, obj: Json, moment: Moment, before: Json | None = None
) -> Json | None:
    """Writes an event down; with `before` (a snapshot) only if something changed since."""
    data: Json = {"object": snapshot(obj)}
    if before is not None:
        changed = previous_attributes(before, data["object"])
        if not changed:
            return None
        data["previous_attributes"] = changed
    event: Json = {
        "id": world.ids.new("evt"),
        "object": "event",
        "api_version": world.settings.api_version,
        "created": moment.at,
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": moment.request_id, "idempotency_key": moment.idempotency_key},
        "type": type,
    }
    world.add(event)
    _address(world, event, obj)
    if type == "invoice.created":
        world.created_events[obj["id"]] = event["id"]
    return event


def previous_attributes(before: Json, after: Json) -> Json:
    """What the changed fields were: tables field by field, lists as a whole, new keys as null."""
    changed: Json = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            changed[key] = previous_attributes(old, new)
        else:
            changed[key] = None if old is _ABSENT else old
    return changed


def listens(endpoint: Json, type: str) -> bool:
    enabled = endpoint["enabled_events"]
    return endpoint["status"] == "enabled" and ("*" in enabled or type in enabled)


def _address(world: World, event: Json, obj: Json) -> None:
    # Deliveries run on the sandbox's own clock even where the object lives on a test clock.
    on_test_clock = bool(obj.get("test_clock")) or obj["object"] == "test_helpers.test_clock"
    due_at = 0 if on_test_clock else event["created"]
    for endpoint in world.all("webhook_endpoint").values():
        if listens(endpoint, event["type"]):
            world.outbox.add(Delivery(event["id"], endpoint["id"], due_at))
    event["pending_webhooks"] = world.outbox.pending(event["id"])
