"""Payments at GoCardless: made, looked for, asked for and cancelled. Each request once.

None of these raises: every end is an outcome. Once a payment was asked for, nothing that comes
after it can say that it was not.
"""

from __future__ import annotations

import httpx

from twintill.domain.outcomes import Accepted, ChargeOutcome, LookUp, NoAnswer, NotFound, NotSent
from twintill.processors import PreparedCharge, Search
from twintill.processors.fields import Json, Unreadable, object_of, read_json, text_of
from twintill.processors.gocardless import answers, declines, refusals
from twintill.processors.gocardless.connection import Connection, quoted, stamp


async def charge(at: Connection, prepared: PreparedCharge) -> ChargeOutcome:
    """Never approved at once. A key that was used answers what became of its payment since."""
    answer = await at.send("POST", "/payments", key=prepared.idempotency_key, body=prepared.body)
    if not isinstance(answer, httpx.Response):
        return answer
    try:
        if answer.status_code == 201:
            payment = answers.read_one(answer.content, "payments")
            return await _ours(at, payment, prepared.body)
        refusal = refusals.read_refusal(answer)
        if refusal is None or refusal.conflicting_id is None:
            return refusals.of_charge(refusal, answer.status_code)
        found = await at.get("payments", refusal.conflicting_id)
        if isinstance(found, NotSent | NoAnswer) or found is None:
            return NoAnswer(f"made before, and could not be asked for: {found}")
        return await _ours(at, found, prepared.body)
    except Unreadable as error:
        return NoAnswer(f"HTTP {answer.status_code} that cannot be believed: {error}")


async def find(at: Connection, search: Search) -> LookUp:
    """Metadata cannot be searched: every payment of that time is looked through.

    Those of the mandate first, where it is known. "Not found" is said only when every page of all
    mandates was read: under this key and reference, a database that was restored since may have
    charged another mandate.
    """
    made = {"created_at[gte]": stamp(search.since)}
    if search.until is not None:
        made["created_at[lte]"] = stamp(search.until)
    mandate = _mandate_of(search.body)
    rounds = [made] if mandate is None else [{**made, "mandate": mandate}, made]
    try:
        for params in rounds:
            rows = await at.all("payments", params)
            if not isinstance(rows, list):
                return rows
            payment = answers.choose(rows, search.reference)
            if payment is not None:
                return await _outcome(at, payment)
    except Unreadable as error:
        return NoAnswer(f"a look-up that cannot be believed: {error}")
    return NotFound()


async def get(at: Connection, payment_id: str) -> LookUp:
    try:
        payment = await at.get("payments", payment_id)
        if isinstance(payment, NotSent | NoAnswer):
            return payment
        return NotFound() if payment is None else await _outcome(at, payment)
    except Unreadable as error:
        return NoAnswer(f"a look-up that cannot be believed: {error}")


async def cancel(at: Connection, payment_id: str) -> LookUp:
    """Possible until it is submitted to the banks; later its state is the answer."""
    path = f"/payments/{quoted(payment_id)}/actions/cancel"
    answer = await at.send("POST", path)
    if not isinstance(answer, httpx.Response):
        return answer
    if answer.status_code != 200:
        return await get(at, payment_id)
    try:
        payment = answers.read_one(answer.content, "payments", payment_id)
        if payment.get("status") == "cancelled":
            return declines.canceled(payment_id)  # by us: nobody has to be asked why
        return await _outcome(at, payment)
    except Unreadable as error:
        return NoAnswer(f"a cancellation that cannot be believed: {error}")


async def _ours(at: Connection, payment: Json, sent: bytes) -> ChargeOutcome:
    """Raises Unreadable where it is not what was sent."""
    answers.check_is_of(payment, sent)
    outcome = await _outcome(at, payment)
    if isinstance(outcome, NotSent):
        return NoAnswer(f"made, and could not be asked about: {outcome.detail}")
    return outcome


async def _outcome(at: Connection, payment: Json) -> ChargeOutcome:
    """A payment that brought no money says so, and its events say why. Raises Unreadable."""
    payment_id, status = text_of(payment, "id"), text_of(payment, "status")
    if not declines.without_money(status):
        return answers.read_payment(payment)
    events = await at.all("events", {"payment": payment_id})
    if not isinstance(events, list):
        return events
    if declines.will_be_retried(events, status):
        return Accepted(payment_id)
    return answers.read_payment(payment, declines.read_reason(events, status, payment_id))


def _mandate_of(body: bytes | None) -> str | None:
    """Whose payment it was, if what was sent is known."""
    if body is None:
        return None
    try:
        return text_of(object_of(object_of(read_json(body), "payments"), "links"), "mandate")
    except Unreadable:
        return None
