"""What takes reported money back, as rows: refunds that were asked for, credit notes, disputes.

Read in the statement that reads the payment (most payments have none), written with it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Table, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.money_back import (
    AskState,
    CreditNote,
    Dispute,
    DisputeStage,
    NoteFor,
    NoteState,
    RefundAsk,
    ToldEarly,
)
from twintill.domain.payment import Payment
from twintill.ids import Scope
from twintill.store.scoped import key
from twintill.store.tables import credit_notes, refund_asks
from twintill.store.tables import disputes as disputes_table


def of_the_payment(table: Table, order: str) -> Any:
    """All rows of it, in order; correlated with the `payments` row of the statement."""
    return literal_column(
        f"(SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY {order}), '[]') FROM {table.name} x "  # noqa: S608
        "WHERE x.stripe_account_id = payments.stripe_account_id "
        "AND x.livemode = payments.livemode AND x.payment_id = payments.payment_id)",
        JSONB,
    )


ASKS: Any = of_the_payment(refund_asks, "x.created_at, x.refund_ask_id").label("asks")
NOTES: Any = of_the_payment(credit_notes, "x.started_at, x.note_id").label("notes")

DISPUTES: Any = of_the_payment(disputes_table, "x.created_at, x.dispute_id").label("disputes")


def asks(found: list[dict[str, Any]]) -> tuple[RefundAsk, ...]:
    """What `ASKS` read, oldest first."""
    return tuple(
        RefundAsk(
            id=row["refund_ask_id"],
            receipt_id=row["receipt_id"],
            amount_minor=row["amount_minor"],
            why=row["why"],
            by=row["asked_by"],
            asked_at=datetime.fromisoformat(row["created_at"]),
            state=AskState(row["state"]),
            refund_id=row["attempt_id"],
        )
        for row in found
    )


def notes(found: list[dict[str, Any]]) -> tuple[CreditNote, ...]:
    """What `NOTES` read, oldest first."""
    return tuple(
        CreditNote(
            id=row["note_id"],
            n=row["n"],
            purpose=NoteFor(row["purpose"]),
            amount_minor=row["amount_minor"],
            out_of_band_minor=row["out_of_band_minor"],
            started_at=datetime.fromisoformat(row["started_at"]),
            state=NoteState(row["state"]),
            credit_note_id=row["credit_note_id"],
            detail=row["detail"],
            key_n=row["key_n"],
        )
        for row in found
    )


def disputes(found: list[dict[str, Any]]) -> tuple[Dispute, ...]:
    """What `DISPUTES` read, oldest first."""
    return tuple(
        Dispute(
            id=row["dispute_id"],
            processor_dispute_id=row["processor_dispute_id"],
            receipt_id=row["receipt_id"],
            amount_minor=row["amount_minor"],
            opened_at=datetime.fromisoformat(row["created_at"]),
            ask_at=datetime.fromisoformat(row["ask_at"]),
            stage=DisputeStage(row["stage"]),
            withheld=row["withheld"],
            fee_minor=row["fee_minor"],
            reason=row["reason"],
            told=_told(row),
        )
        for row in found
    )


def _told(row: dict[str, Any]) -> ToldEarly | None:
    if row["told_stage"] is None:
        return None
    return ToldEarly(DisputeStage(row["told_stage"]), row["told_withheld"], row["told_fee_minor"])


async def write(db: AsyncConnection, scope: Scope, before: Payment, after: Payment) -> None:
    """What is new or has changed; those that ended first: only one note may be begun."""
    known_asks = {ask.id: ask for ask in before.asks}
    for ask in after.asks:
        if ask != known_asks.get(ask.id):
            await put(db, refund_asks, "refund_ask_id", _ask(scope, after, ask))
    known_notes = {note.id: note for note in before.notes}
    for note in sorted(after.notes, key=lambda n: n.state is NoteState.STARTED):
        if note != known_notes.get(note.id):
            await put(db, credit_notes, "note_id", _note(scope, after, note))
    known_disputes = {dispute.id: dispute for dispute in before.disputes}
    for dispute in after.disputes:
        if dispute != known_disputes.get(dispute.id):
            await put(db, disputes_table, "dispute_id", _dispute(scope, after, dispute))


async def put(db: AsyncConnection, table: Table, its_key: str, row: dict[str, Any]) -> None:
    put = upsert(table).values(row)
    same = ["stripe_account_id", "livemode", its_key]
    changes = {name: put.excluded[name] for name in row if name not in same}
    await db.execute(put.on_conflict_do_update(index_elements=same, set_=changes))


def _ask(scope: Scope, payment: Payment, ask: RefundAsk) -> dict[str, Any]:
    return {
        **key(scope),
        "refund_ask_id": ask.id,
        "payment_id": payment.id,
        "receipt_id": ask.receipt_id,
        "amount_minor": ask.amount_minor,
        "why": ask.why,
        "asked_by": ask.by,
        "created_at": ask.asked_at,
        "state": ask.state,
        "attempt_id": ask.refund_id,
    }


def _note(scope: Scope, payment: Payment, note: CreditNote) -> dict[str, Any]:
    return {
        **key(scope),
        "note_id": note.id,
        "payment_id": payment.id,
        "n": note.n,
        "purpose": note.purpose,
        "amount_minor": note.amount_minor,
        "out_of_band_minor": note.out_of_band_minor,
        "state": note.state,
        "credit_note_id": note.credit_note_id,
        "detail": note.detail,
        "key_n": note.key_n,
        "started_at": note.started_at,
    }


def _dispute(scope: Scope, payment: Payment, dispute: Dispute) -> dict[str, Any]:
    attempt_id = dispute.receipt_id.replace("rct_", "att_", 1)
    attempt = next(a for a in payment.attempts if a.id == attempt_id)
    told = dispute.told
    return {
        **key(scope),
        "dispute_id": dispute.id,
        "payment_id": payment.id,
        "receipt_id": dispute.receipt_id,
        "processor": attempt.processor,
        "processor_account_id": attempt.processor_account_id,
        "processor_dispute_id": dispute.processor_dispute_id,
        "amount_minor": dispute.amount_minor,
        "fee_minor": dispute.fee_minor,
        "currency": attempt.amount.currency,
        "stage": dispute.stage,
        "withheld": dispute.withheld,
        "reason": dispute.reason,
        "created_at": dispute.opened_at,
        "ask_at": dispute.ask_at,
        "told_stage": told.stage if told else None,
        "told_withheld": told.withheld if told else False,
        "told_fee_minor": told.fee_minor if told else 0,
    }
