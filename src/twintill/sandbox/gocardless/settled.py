"""What is read afterwards: events, payouts, and what each payout consists of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.listing import Row
from twintill.sandbox.gocardless.mistakes import not_there, wrong_usage
from twintill.sandbox.processor.objects import Event, Payout

Json = dict[str, Any]
_LINKS = ("payment", "mandate", "refund", "payout", "billing_request")
_EVENT_FILTERS = frozenset(("resource_type", "action", *_LINKS))
_PAYOUT_FILTERS = frozenset(("currency", "status", "payout_type", "creditor", "reference"))
_ITEMS_KEPT = timedelta(days=183)


def event_json(event: Event) -> Json:
    return {"id": event.id, "created_at": shapes.moment(event.created), **event.object}


def list_events(asked: Asked) -> tuple[int, Json]:
    rows = [_event_row(event) for event in asked.world.events]
    return 200, asked.page("events", rows, _EVENT_FILTERS)


def get_event(asked: Asked, event_id: str) -> tuple[int, Json]:
    for event in asked.world.events:
        if event.id == event_id:
            return 200, {"events": event_json(event)}
    raise not_there("Event")


def list_payouts(asked: Asked) -> tuple[int, Json]:
    rows = [_payout_row(payout) for payout in asked.world.payouts.values()]
    return 200, asked.page("payouts", rows, _PAYOUT_FILTERS)


def get_payout(asked: Asked, payout_id: str) -> tuple[int, Json]:
    return 200, {"payouts": shapes.payout(_payout(asked, payout_id))}


def list_payout_items(asked: Asked) -> tuple[int, Json]:
    """In the order of the book; only of the last six months."""
    params = dict(asked.params)
    payout = _payout(asked, params.pop("payout", ""))
    params.pop("include_2020_tax_cutover", None)
    if asked.now - payout.created > _ITEMS_KEPT:
        raise wrong_usage(
            410,
            "payout_items_data_archived",
            "Payout items for payouts created more than 6 months ago are archived",
        )
    rows = [
        Row(line.id, payout.created, lambda line=line: shapes.payout_item(line))  # type: ignore[misc]
        for line in reversed(payout.lines)
    ]
    return 200, asked.page("payout_items", rows, params=params)


def _payout(asked: Asked, payout_id: str) -> Payout:
    payout = asked.world.payouts.get(payout_id)
    if payout is None:
        raise not_there("Payout")
    return payout


def _event_row(event: Event) -> Row:
    its, links = event.object, event.object["links"]
    filters = {name: links.get(name) for name in _LINKS}
    filters |= {"resource_type": its["resource_type"], "action": its["action"]}
    return Row(event.id, event.created, lambda: event_json(event), filters)


def _payout_row(payout: Payout) -> Row:
    shown = shapes.payout(payout)
    filters = {name: shown.get(name) for name in _PAYOUT_FILTERS}
    filters["creditor"] = shapes.CREDITOR
    return Row(payout.id, payout.created, lambda: shown, filters)
