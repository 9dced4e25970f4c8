"""Keeps the sandbox's world in a file over a restart: saved on a graceful stop, loaded on start."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from twintill.sandbox.stripe.outbox import Delivery, DeliveryState
from twintill.sandbox.stripe.world import World

FORMAT = 1
_PLAIN = (
    "tables", "lines", "credit_note_lines", "ip_addresses", "secrets", "deleted",
    "created_events", "tax_behaviors", "billed", "deleted_coupons",
)  # fmt: skip
_INDEXES = ("subscriptions_of", "invoices_of", "payments_of")


def save(world: World, path: Path) -> None:
    """Writes beside the file first, so that a crash leaves the old one whole."""
    content: dict[str, Any] = {name: getattr(world, name) for name in (*_PLAIN, *_INDEXES)}
    content["format"] = FORMAT
    content["fixed_finalization"] = sorted(world.fixed_finalization)
    content["agenda"] = [
        [clock_id, due.at, due.kind, due.id] for clock_id, due in world.agenda.entries()
    ]
    content["deliveries"] = [
        asdict(delivery) for rows in world.outbox.by_event.values() for delivery in rows
    ]
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(content, ensure_ascii=False))
    draft.replace(path)


def load(world: World, path: Path) -> None:
    """Fills an empty world; a file that is not there yet leaves it empty."""
    if not path.exists():
        return
    content = json.loads(path.read_text())
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by this version of the sandbox")
    for name in _PLAIN:
        getattr(world, name).update(content.get(name, {}))
    for name in _INDEXES:
        getattr(world, name).update(content[name])
    world.fixed_finalization.update(content["fixed_finalization"])
    for clock_id, at, kind, key in content["agenda"]:
        world.agenda.add(at, kind, key, clock_id)
    for row in content["deliveries"]:
        _restore_delivery(world, row)
    _restore_identity(world)


def _restore_delivery(world: World, row: dict[str, Any]) -> None:
    delivery = Delivery(**{**row, "state": DeliveryState(row["state"]), "real_due_s": None})
    if delivery.is_open:
        delivery.state = DeliveryState.DUE
        world.outbox.add(delivery)
    else:
        world.outbox.by_event.setdefault(delivery.event_id, []).append(delivery)


def _restore_identity(world: World) -> None:
    """Objects that stand in two places are one object again."""
    for subscription in world.all("subscription").values():
        for item in subscription["items"]["data"]:
            world.all("subscription_item")[item["id"]] = item
    for invoice_id, lines in world.lines.items():
        invoice = world.all("invoice").get(invoice_id)
        if invoice:
            invoice["lines"]["data"] = lines[: len(invoice["lines"]["data"])]
