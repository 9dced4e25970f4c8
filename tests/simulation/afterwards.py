"""What comes after an invoice was paid, or instead of it: the simulated Stripe's credit notes and
one-off invoices. A one-off that somebody has to pay follows on a credit note, never before it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
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
    made_s: dict[str, float]  # when each of them was made
    trace: Trace


class Afterwards(ABC):
    """What flows call; `_call` and `_tell` are the network's and the post's."""

    shelf: Shelf
    # What our own credit notes may never do: invoice, amount, out of band, when it was sent.
    may_credit: Callable[[Invoice, int, int, float], None]
    may_pay: Callable[[Invoice], None]

    @abstractmethod
    async def _call(self, what: str, object_id: str, act: Callable[[Any], T]) -> T: ...

    @abstractmethod
    def _tell(self, invoice: Invoice, event_type: str) -> None: ...

    @abstractmethod
    def _event(
        self,
        event_type: str,
        thing: dict[str, Any],
        key: str | None = None,
        *,
        previous: dict[str, Any] | None = None,
    ) -> None: ...

    @abstractmethod
    def _paid_if_nothing_remains(self, invoice: Invoice) -> None: ...

    async def list_credit_notes(self, invoice_id: str) -> tuple[SeenNote, ...]:
        return await self._call(
            "notes", invoice_id, lambda _: tuple(self.shelf.notes.get(invoice_id, ()))
        )

    async def preview_credit_note(self, invoice_id: str, amount_minor: int) -> Split:
        return await self._call("preview", invoice_id, lambda i: _split(i, amount_minor))

    async def create_credit_note(
        self,
        invoice_id: str,
        amount_minor: int,
        *,
        out_of_band_minor: int,
        note_id: str,
        key_n: int = 0,
    ) -> SeenNote:
        sent_s = asyncio.get_running_loop().time()
        key = key_of(note_id, key_n)

        def made(invoice: Invoice) -> SeenNote:
            split = _split(invoice, amount_minor)
            if split.post_payment_minor != out_of_band_minor:
                raise StripeRefused("the parts must add up", code="credit_note_amount_invalid")
            self.may_credit(invoice, amount_minor, out_of_band_minor, sent_s)
            return self._note(invoice, split, note_id, key)

        return await self._call("credit", invoice_id, lambda i: self._once(key, lambda: made(i)))

    def write_credit_note(self, invoice: Invoice, minor: int) -> SeenNote | None:
        """As somebody does it in the Dashboard: what was paid goes back out of band."""
        most_minor = invoice.remaining_minor or invoice.told_minor
        if invoice.status not in (InvoiceStatus.OPEN, InvoiceStatus.PAID) or not most_minor:
            return None
        return self._note(invoice, _split(invoice, min(minor, most_minor)), None, None)

    def void_credit_note(self, invoice: Invoice, its_id: str) -> None:
        """Only on an open invoice: one on a paid invoice cannot be voided."""
        notes = self.shelf.notes[invoice.id]
        at = next(n for n, note in enumerate(notes) if note.credit_note_id == its_id)
        if invoice.status is not InvoiceStatus.OPEN or notes[at].void:
            return
        notes[at] = replace(notes[at], void=True)
        invoice.credited_minor -= notes[at].amount_minor
        self._tell(invoice, "invoice.updated")
        self._tell_note("voided", invoice, its_id, None)

    async def read_terms(self, invoice_id: str) -> Terms:
        def read(invoice: Invoice) -> Terms:
            return Terms(invoice.id, invoice.currency, _DAYS_UNTIL_DUE, False, False)

        return await self._call("terms", invoice_id, read)

    async def create_one_off(
        self, customer_id: str, terms: Terms, continues: str, op_id: str, key: str
    ) -> str:
        def made(_: Any) -> str:
            now_s = float(int(asyncio.get_running_loop().time()))
            same = [
                i.id for i in self.shelf.invoices.values() if i.metadata.get(OPERATION) == op_id
            ]
            if same:
                self.shelf.trace.blame(f"{same[0]}: made once more for {op_id}")
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
                auto_advance=False,
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

    def _note(
        self, invoice: Invoice, split: Split, our_id: str | None, key: str | None
    ) -> SeenNote:
        notes = self.shelf.notes.setdefault(invoice.id, [])
        its_id = f"cn_{invoice.id}_{len(notes) + 1}"
        note = SeenNote(its_id, our_id, split.amount_minor, split.post_payment_minor)
        notes.append(note)
        self.shelf.made_s[its_id] = asyncio.get_running_loop().time()
        invoice.credited_minor += split.pre_payment_minor
        invoice.taken_back_minor += split.post_payment_minor
        if our_id is None and split.pre_payment_minor:
            self._tell(invoice, "invoice.updated")
        if split.pre_payment_minor:
            self._paid_if_nothing_remains(invoice)
        self._tell_note("created", invoice, its_id, key)
        return note

    def _tell_note(self, what: str, invoice: Invoice, its_id: str, key: str | None) -> None:
        shown = {"object": "credit_note", "id": its_id, "invoice": invoice.id}
        self._event(f"credit_note.{what}", {**shown, "livemode": False}, key)

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
        ours = [note for note in self.shelf.notes.get(its_id, ()) if note.our_id]
        back_minor = sum(note.amount_minor for note in ours)
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
