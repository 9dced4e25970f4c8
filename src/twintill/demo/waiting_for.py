"""What the story waits for: payments, as the API shows them, and what the app hears."""

from collections.abc import Callable
from typing import Any

from twintill.demo import calls
from twintill.demo.stage import Stage


async def payment_of(stage: Stage, invoice_id: str) -> Any:
    """Our collecting of this invoice, with all of its history; None before there is one."""
    found = await calls.get(stage.api, "/v1/payments", invoice=invoice_id)
    if not found["data"]:
        return None
    return await calls.get(stage.api, f"/v1/payments/{found['data'][0]['id']}")


async def payment_that(
    stage: Stage, invoice_id: str, what: str, is_so: Callable[[Any], Any]
) -> Any:
    """The payment, once this holds of it. Raises StoryBroken when it never does."""

    async def ask() -> Any:
        payment = await payment_of(stage, invoice_id)
        return payment if payment and is_so(payment) else None

    return await stage.until(what, ask)


async def reported(stage: Stage, invoice_id: str, what: str) -> Any:
    return await payment_that(stage, invoice_id, what, lambda p: p["state"] == "reported")


async def told(stage: Stage, event_type: str, object_id: str) -> Any:
    """The data of the event, once the user's app has heard of it."""

    async def heard() -> Any:
        events = stage.app.about(object_id, event_type)
        return events[0]["data"] if events else None

    return await stage.until(f"the app is told {event_type}", heard)
