"""Refunds at GoCardless: made once, listed of one payment, listed of all."""

from __future__ import annotations

from datetime import datetime

import httpx

from twintill.domain.outcomes import ChargeOutcome, NoAnswer, NotSent
from twintill.processors import ListedRefund, PreparedRefund, RefundPage, SeenRefund
from twintill.processors.fields import Unreadable
from twintill.processors.gocardless import answers, refusals
from twintill.processors.gocardless.connection import Connection, stamp


async def refund(at: Connection, prepared: PreparedRefund) -> ChargeOutcome:
    payment_id = prepared.processor_payment_id
    answer = await at.send("POST", "/refunds", key=prepared.idempotency_key, body=prepared.body)
    if not isinstance(answer, httpx.Response):
        return answer
    try:
        if answer.status_code == 201:
            made = answers.read_one(answer.content, "refunds")
            return answers.read_refund_of(made, payment_id, prepared.body)
        refusal = refusals.read_refusal(answer)
        if refusal is None or refusal.conflicting_id is None:
            return refusals.of_refund(refusal, answer.status_code)
        found = await at.get("refunds", refusal.conflicting_id)
        if isinstance(found, NotSent | NoAnswer) or found is None:
            return NoAnswer(f"made before, and could not be asked for: {found}")
        return answers.read_refund_of(found, payment_id, prepared.body)
    except Unreadable as error:
        return NoAnswer(f"HTTP {answer.status_code} that cannot be believed: {error}")


async def list_of(at: Connection, payment_id: str) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
    try:
        rows = await at.all("refunds", {"payment": payment_id})
        if not isinstance(rows, list):
            return rows
        return tuple(answers.read_refund(row, payment_id) for row in rows)
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")


async def list_recent(
    at: Connection, made_since: datetime, after: str | None
) -> RefundPage | NoAnswer | NotSent:
    """Without those to a mandate, which give back no payment."""
    try:
        page = await at.page("refunds", {"created_at[gte]": stamp(made_since)}, after)
        if not isinstance(page, answers.Page):
            return page
        of = [(answers.payment_of(row), row) for row in page.rows]
        listed = [ListedRefund(its, answers.read_refund(row, its)) for its, row in of if its]
        return RefundPage(tuple(listed), page.following)
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")
