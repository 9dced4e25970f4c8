"""What comes after an invoice was paid, or instead of it: the simulated Stripe's credit notes and
one-off invoices. A one-off that somebody has to pay follows on a credit note, never before it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from tests.simulation.invoice import Invoice
from tests.simulation.trace import Trace
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.money_back import SeenNote
from twintill.errors import StripeError, StripeRefused
from twintill.stripe_billing.credit_notes import Split, key_of
from twintill.stripe_billing.marks import OPERATION
from twintill.stripe_billing.one_off import CONTINUES, Terms

T = TypeVar("T")
_DAYS_UNTIL_DUE = 30


@dataclass(frozen=True)
class Shelf:
    """All notes and all answers under a key; the invoices are those of the one book."""

    invoices: dict[str, Invoice]
    keys: dict[str, Any]
    notes: dict[str, list[SeenNote]]
    trace: Trace


class Afterwards(ABC):
    """What flows call; `_call` and `_tell` are the network's and the post's."""

    shelf: Shelf

    @abstractmethod
    async def _call(self, what: str, object_id: str, act: Callable[[Any], T]) -> T: ...

    @abstractmethod
    def _tell(self, invoice: Invoice, event_type: str) -> None: ...

    @abstractmethod
    def _event(self, event_type: str, thing: dict[str, Any], key: str | None = None) -> None: ...

    @abstractmethod
    def _paid_if_nothing_remains(self, invoice: Invoice) -> None: ...

    async def list_credit_notes(self, invoice_id: str) -> tuple[SeenNote, ...]:
        return await self._call(
            "notes", invoice_id, lambda _: tuple(self.shelf.notes.get(invoice_id, ()))
        )

    async def preview_credit_note(self, invoice_id: str, amount_minor: int) -> Split:
        return await self._call("preview", invoice_id, lambda i: _split(i, amount_minor))

    async def create_credit_note(
        self, invoice_id: str, amount_minor: int, *, out_of_band_minor: int, note_id: str
    ) -> SeenNote:
        def made(invoice: Invoice) -> SeenNote:
            split = _split(invoice, amount_minor)
            notes = self.shelf.notes.setdefault(invoice_id, [])
            its_id = f"cn_{invoice_id}_{len(notes) + 1}"
            note = SeenNote(its_id, note_id, amount_minor, out_of_band_minor)
            notes.append(note)
            invoice.credited_minor += split.pre_payment_minor
            invoice.taken_back_minor += out_of_band_minor
            self._paid_if_nothing_remains(invoice)
            shown = {"object": "credit_note", "id": its_id, "invoice": invoice_id}
            self._event("credit_note.created", {**shown, "livemode": False}, key_of(note_id))
            return note

        key = key_of(note_id)
        return await self._call("credit", invoice_id, lambda i: self._once(key, lambda: made(i)))

    async def read_terms(self, invoice_id: str) -> Terms:
        def read(invoice: Invoice) -> Terms:
            return Terms(invoice.id, invoice.currency, _DAYS_UNTIL_DUE, False, False)

        return await self._call("terms", invoice_id, read)

    async def create_one_off(
        self, customer_id: str, terms: Terms, continues: str, op_id: str, key: str
    ) -> str:
        def made(_: Any) -> str:
            now_s = float(int(asyncio.get_running_loop().time()))
            number = 1 + sum(i.one_off for i in self.shelf.invoices.values())
            invoice = Invoice(
                id=f"in_off_{number}",
                customer_id=customer_id,
                currency=terms.currency,
                total_minor=0,
                due_s=now_s + terms.days_until_due * 86_400,
                status=InvoiceStatus.DRAFT,
                metadata={OPERATION: op_id, CONTINUES: continues},
                created_s=now_s,
                one_off=True,
            )
            self.shelf.invoices[invoice.id] = invoice
            self._tell(invoice, "invoice.created")
            return invoice.id

        return await self._call(
            "one-off for", continues, lambda i: self._once(key, lambda: made(i))
        )

    async def find_one_off_by_op(
        self, customer_id: str, op_id: str, created_after: datetime
    ) -> str | None:
        def found(_: Any) -> str | None:
            ids = (i.id for i in self.shelf.invoices.values() if i.metadata.get(OPERATION) == op_id)
            return next(ids, None)

        return await self._call("one-offs of", customer_id, found)

    async def add_amount(
        self, invoice_id: str, customer_id: str, amount_minor: int, terms: Terms, text: str, op: Any
    ) -> None:
        def added(invoice: Invoice) -> str:
            if invoice.status is not InvoiceStatus.DRAFT:
                raise StripeRefused(f"the invoice is {invoice.status}", code="invoice_not_editable")
            invoice.total_minor += amount_minor
            self._may_be_asked_for(invoice)
            return "added"

        await self._call("item", invoice_id, lambda i: self._once(op[1], lambda: added(i)))

    async def has_amount(self, invoice_id: str, op_id: str) -> bool:
        return await self._call("items", invoice_id, lambda i: bool(i.total_minor))

    def _once(self, key: str, act: Callable[[], T]) -> T:
        """Under one key it is done once, and answered alike."""
        keys = self.shelf.keys
        if key not in keys:
            try:
                keys[key] = act()
            except StripeError as error:
                keys[key] = error
        answer: T | StripeError = keys[key]
        if isinstance(answer, StripeError):
            raise answer
        return answer

    def _may_be_asked_for(self, invoice: Invoice) -> None:
        """All that follows on one invoice is not more than was credited there before."""
        its_id = invoice.metadata[CONTINUES]
        following = [i for i in self.shelf.invoices.values() if i.metadata.get(CONTINUES) == its_id]
        asked_minor = sum(i.total_minor for i in following)
        back_minor = sum(note.amount_minor for note in self.shelf.notes.get(its_id, ()))
        if asked_minor > back_minor:
            self.shelf.trace.blame(
                f"{its_id}: {asked_minor} is invoiced again, and {back_minor} was credited"
            )


def _split(invoice: Invoice, amount_minor: int) -> Split:
    """What is still due takes it first. Raises StripeRefused: there is not so much left."""
    left_minor = invoice.paid_minor - invoice.taken_back_minor
    pre_minor = min(amount_minor, invoice.remaining_minor)
    if amount_minor - pre_minor > left_minor or invoice.status is InvoiceStatus.VOID:
        raise StripeRefused(f"only {left_minor} is left", code="credit_note_amount_too_large")
    return Split(amount_minor, pre_minor, amount_minor - pre_minor)
