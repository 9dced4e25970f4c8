"""Calls about credit notes: what lowers an invoice in Stripe, before or after it was paid.

Facts: of a paid invoice the whole amount is post-payment, and what goes back outside Stripe must
be named exactly (`out_of_band_amount`); a post-payment note cannot be voided; without
`email_type=none` Stripe writes to the customer.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from twintill.domain.money_back import SeenNote
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.marks import OPERATION
from twintill.stripe_billing.shapes import Id, Metadata, Minor, Shape, Text

if TYPE_CHECKING:
    from stripe.params import CreditNoteCreateParams, CreditNotePreviewParams


@dataclass(frozen=True, slots=True)
class Split:
    """How a credit note of this amount would fall: on what is still due, on what was paid."""

    amount_minor: int
    pre_payment_minor: int
    post_payment_minor: int


@dataclass(frozen=True)
class CreditNotes(Connection):
    async def list_credit_notes(self, invoice_id: str) -> tuple[SeenNote, ...]:
        """All of an invoice, whoever made them, oldest first; in minor units."""
        fetch = self.client.v1.credit_notes.list_async
        found = [
            self.read(_CreditNote, raw) async for raw in self.every(fetch, {"invoice": invoice_id})
        ]
        return tuple(_seen(note) for note in reversed(found))

    async def preview_credit_note(self, invoice_id: str, amount_minor: int) -> Split:
        """Of a gross amount given back outside Stripe. StripeRefused: there is not so much left."""
        params: CreditNotePreviewParams = {
            "invoice": invoice_id,
            "amount": amount_minor,
            "out_of_band_amount": amount_minor,
        }
        raw = await self.answer(self.client.v1.credit_notes.preview_async(params))
        seen = self.read(_Preview, raw)
        return Split(seen.amount_minor, seen.pre_payment_minor, seen.post_payment_minor)

    async def create_credit_note(
        self,
        invoice_id: str,
        amount_minor: int,
        *,
        out_of_band_minor: int,
        note_id: str,
        key_n: int = 0,
    ) -> SeenNote:
        """Of a gross amount; `note_id` is its mark in Stripe, and with `key_n` its key.

        Raises StripeUnreadable with a `request_id` where Stripe answered that it failed: it keeps
        that answer under the key.
        """
        params: CreditNoteCreateParams = {
            "invoice": invoice_id,
            "amount": amount_minor,
            "email_type": "none",
            "metadata": {OPERATION: note_id},
        }
        if out_of_band_minor:
            params["out_of_band_amount"] = out_of_band_minor
        key = key_of(note_id, key_n)
        raw = await self.answer(
            self.client.v1.credit_notes.create_async(params, {"idempotency_key": key})
        )
        return _seen(self.read(_CreditNote, raw))


def key_of(note_id: str, key_n: int = 0) -> str:
    """The idempotency key of our own note, the first or a later one; its events carry it."""
    return f"twintill-note-{note_id}" + (f"-{key_n}" if key_n else "")


def is_our_key(key: str | None) -> bool:
    return key is not None and key.startswith("twintill-note-")


class _Preview(Shape):
    amount_minor: Minor = Field(alias="amount")
    pre_payment_minor: Minor = Field(alias="pre_payment_amount")
    post_payment_minor: Minor = Field(alias="post_payment_amount")


class _CreditNote(Shape):
    id: Id
    livemode: bool
    status: Text
    amount_minor: Minor = Field(alias="amount")
    out_of_band_minor: Minor | None = Field(alias="out_of_band_amount", default=None)
    metadata: Metadata = Field(default_factory=dict)


def _seen(note: _CreditNote) -> SeenNote:
    return SeenNote(
        credit_note_id=note.id,
        our_id=note.metadata.get(OPERATION) or None,
        amount_minor=note.amount_minor,
        out_of_band_minor=note.out_of_band_minor or 0,
        void=note.status == "void",
    )
