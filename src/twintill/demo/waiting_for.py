"""What the story waits for: payments, as the API shows them, and what the app hears."""

from collections.abc import Callable
from datetime import UTC, datetime
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


async def ordered(stage: Stage, invoice_id: str, what: str) -> Any:
    """Accepted by the processor, who tells later what became of it."""
    return await payment_that(
        stage, invoice_id, f"{what} is accepted", lambda p: p["state"] == "pending"
    )


def expected_at(stage: Stage, payment: Any) -> datetime:
    """When the processor will have told of the last try."""
    attempt = payment["attempts"][-1]
    from_then = attempt["expected_at"] or attempt["first_sent_at"]
    return datetime.fromtimestamp(from_then, UTC) + stage.till.debit_takes


def due(payment: Any) -> str:
    """What the processor said of the last try's day."""
    expected = payment["attempts"][-1]["expected_at"]
    return f"due {day(datetime.fromtimestamp(expected, UTC))}" if expected else "pending"


def follow_on(payment: Any) -> str | None:
    """The invoice that continues it, once it has a payment."""
    made = [one["invoice"] for one in payment["followed_by"] if one["invoice"]]
    return made[0] if made else None


def day(moment: datetime) -> str:
    return f"{moment:%a %d %b}"


async def told(stage: Stage, event_type: str, object_id: str) -> Any:
    """The data of the event, once the user's app has heard of it."""

    async def heard() -> Any:
        events = stage.app.about(object_id, event_type)
        return events[0]["data"] if events else None

    return await stage.until(f"the app is told {event_type}", heard)
