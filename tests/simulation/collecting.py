"""The simulated Stripe collects by itself: methods that it keeps, drafts that it finalizes, charges
that it tries again; and what a switch calls."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.simulation.invoice import Invoice, shape_of
from tests.simulation.subscriptions import BY_STRIPE, BY_US, Subscriptions
from twintill.domain.invoice import InvoiceLook
from twintill.domain.invoice import InvoiceStatus as Status
from twintill.errors import StripeRefused
from twintill.stripe_billing.marks import HANDED, OPERATION
from twintill.stripe_billing.shapes import InvoiceShape
from twintill.stripe_billing.switching import (
    REPLACES,
    InvoiceTerms,
    Line,
    SubscriptionInvoice,
)

_HOUR_S, _DAY_S = 3600.0, 86_400.0
_RETRY_S = 1.5 * _DAY_S
_TRIES = 3
_NOT_EDITABLE = "invoice_not_editable"
TAX_UNKNOWN = "customer_tax_location_invalid"
# What a method of Stripe's does is in its name.
KINDS = ("ok", "ok", "once", "declines", "debit", "returned")


class Collecting(Subscriptions, ABC):
    """What flows call, and what the rest of the world may do there (verbs without `async`)."""

    wallet: dict[str, str]  # whose each of Stripe's own methods is
    may_collect: Callable[[Invoice], None]  # the rules that a charge of Stripe's breaks

    @abstractmethod
    def _look(self, invoice: Invoice) -> InvoiceLook: ...

    @abstractmethod
    def _write(self, invoice: Invoice, metadata: dict[str, str]) -> InvoiceLook: ...

    @abstractmethod
    def end_stripe_debit(self, invoice: Invoice, *, good: bool) -> None: ...

    async def finalize(self, invoice_id: str, key: str) -> InvoiceLook:
        def done(invoice: Invoice) -> InvoiceLook:
            if invoice.status is not Status.DRAFT:
                raise StripeRefused(f"the invoice is {invoice.status}", code="not_a_draft")
            self._finalize(invoice)
            return self._look(invoice)

        return await self._call("finalize", invoice_id, lambda i: self._once(key, lambda: done(i)))

    async def list_stuck_drafts(self, customer_id: str) -> list[InvoiceShape]:
        def listed(_: Any) -> list[InvoiceShape]:
            his = [i for i in self.shelf.invoices.values() if i.customer_id == customer_id]
            stuck = [i for i in his if i.status is Status.DRAFT and i.finalization_error]
            return [InvoiceShape.model_validate(shape_of(i)) for i in stuck]

        return await self._call("stuck drafts", customer_id, listed)

    async def read_shape(self, invoice_id: str) -> InvoiceShape:
        def read(_: Any) -> InvoiceShape:
            if invoice_id not in self.shelf.invoices:
                raise StripeRefused("no such invoice", code="resource_missing")
            return InvoiceShape.model_validate(shape_of(self.shelf.invoices[invoice_id]))

        return await self._call("shape", f"of {invoice_id}", read)

    async def read_payment_method(self, payment_method_id: str) -> str | None:
        def read(_: Any) -> str:
            if payment_method_id not in self.wallet:
                raise StripeRefused("no such payment method", code="resource_missing")
            return self.wallet[payment_method_id]

        return await self._call("method", payment_method_id, read)

    async def list_unfinished(
        self, subscription_id: str, collection_method: str
    ) -> list[SubscriptionInvoice]:
        """Two pages: what is finalized between them is seen twice, and counts as open."""

        def listed(status: Status) -> Callable[[Any], list[SubscriptionInvoice]]:
            def page(_: Any) -> list[SubscriptionInvoice]:
                its = [
                    i for i in self.shelf.invoices.values() if i.subscription_id == subscription_id
                ]
                found = [i for i in its if i.collection_method == collection_method]
                return [_unfinished(i) for i in found if i.status is status]

            return page

        drafts = await self._call("drafts of", subscription_id, listed(Status.DRAFT))
        opened = await self._call("open ones of", subscription_id, listed(Status.OPEN))
        return list({one.invoice.id: one for one in (*drafts, *opened)}.values())

    async def draft_for_stripe(self, invoice_id: str, key: str) -> InvoiceLook:
        return await self._edit("draft to Stripe", invoice_id, key, collection_method=BY_STRIPE)

    async def draft_to_send(self, invoice_id: str, days_until_due: int, key: str) -> InvoiceLook:
        return await self._edit("draft to us", invoice_id, key, collection_method=BY_US)

    async def mark_handed_over(self, invoice_id: str, operation_id: str) -> InvoiceLook:
        mark = {HANDED: operation_id}
        return await self._call("hand over", invoice_id, lambda i: self._write(i, mark))

    async def unmark_handed_over(self, invoice_id: str) -> InvoiceLook:
        return await self._call("take back", invoice_id, lambda i: self._write(i, {HANDED: ""}))

    async def pay_with_method(
        self, invoice_id: str, payment_method_id: str, key: str
    ) -> InvoiceLook:
        def paid(invoice: Invoice) -> InvoiceLook:
            self._must_be_payable(invoice)
            self._charge(invoice, payment_method_id)
            return self._look(invoice)

        return await self._call("charge", invoice_id, lambda i: self._once(key, lambda: paid(i)))

    async def pin_method(self, invoice_id: str, payment_method_id: str, key: str) -> InvoiceLook:
        def pinned(invoice: Invoice) -> InvoiceLook:
            if invoice.status not in (Status.DRAFT, Status.OPEN):
                raise StripeRefused(f"the invoice is {invoice.status}", code=_NOT_EDITABLE)
            invoice.default_payment_method = payment_method_id
            return self._look(invoice)

        return await self._call("pin", invoice_id, lambda i: self._once(key, lambda: pinned(i)))

    async def stop_advancing(self, invoice_id: str) -> InvoiceLook:
        def stopped(invoice: Invoice) -> InvoiceLook:
            if invoice.status not in (Status.DRAFT, Status.OPEN):
                raise StripeRefused(f"the invoice is {invoice.status}", code=_NOT_EDITABLE)
            invoice.auto_advance = False
            return self._look(invoice)

        return await self._call("stop", invoice_id, stopped)

    async def read_repeatable(self, invoice_id: str) -> InvoiceTerms:
        def read(invoice: Invoice) -> InvoiceTerms:
            return InvoiceTerms(
                customer_id=invoice.customer_id,
                currency=invoice.currency,
                number=None,
                total_minor=invoice.total_minor,
                amount_paid_minor=invoice.paid_minor,
                automatic_tax=False,
                lines=[Line(invoice.total_minor, None, 0, 0)],
                plain=invoice.credited_minor == 0,
            )

        return await self._call("terms", invoice_id, read)

    async def draft_again(
        self, terms: InvoiceTerms, replaces: str, days_until_due: int, op_id: str, key: str
    ) -> str:
        def made(_: Any) -> str:
            now_s = float(int(asyncio.get_running_loop().time()))
            number = 1 + sum(REPLACES in i.metadata for i in self.shelf.invoices.values())
            invoice = Invoice(
                id=f"in_again_{number}",
                customer_id=terms.customer_id,
                currency=terms.currency,
                total_minor=0,
                due_s=now_s + days_until_due * _DAY_S,
                status=Status.DRAFT,
                metadata={OPERATION: op_id, REPLACES: replaces},
                created_s=now_s,
                one_off=True,
                auto_advance=False,
            )
            self.shelf.invoices[invoice.id] = invoice
            self._tell(invoice, "invoice.created")
            return invoice.id

        return await self._call("again", replaces, lambda _: self._once(key, lambda: made(None)))

    async def find_draft_again(
        self, customer_id: str, replaces: str, op_id: str, since: datetime
    ) -> str | None:
        def found(_: Any) -> str | None:
            wanted = (op_id, replaces)
            its = ((i, i.metadata) for i in self.shelf.invoices.values())
            ids = (i.id for i, m in its if (m.get(OPERATION), m.get(REPLACES)) == wanted)
            return next(ids, None)

        return await self._call("again of", customer_id, found)

    async def write_lines(self, invoice_id: str, lines: Sequence[Line], key: str) -> int:
        def written(invoice: Invoice) -> int:
            self._must_be_a_draft(invoice)
            invoice.total_minor += sum(line.amount_minor for line in lines)
            return invoice.total_minor

        return await self._call("lines", invoice_id, lambda i: self._once(key, lambda: written(i)))

    async def delete_draft(self, invoice_id: str) -> None:
        def deleted(invoice: Invoice) -> None:
            if invoice.status is Status.DELETED:
                return
            self._must_be_a_draft(invoice)
            invoice.status = Status.DELETED
            self._tell(invoice, "invoice.deleted")

        await self._call("delete", invoice_id, deleted)

    # What the merchant, the customer and time do there.

    def keep_method(self, customer_id: str, kind: str) -> str:
        """The customer gave Stripe a method, in the merchant's app or in the portal."""
        its_id = f"pm_{kind}_{len(self.wallet) + 1}"
        self.wallet[its_id] = customer_id
        return its_id

    def draft(self, invoice: Invoice) -> None:
        """A renewal: an hour later it is finalized."""
        its = self.register.of(invoice.customer_id)
        invoice.status, invoice.collection_method = Status.DRAFT, its.collection_method
        self._put(invoice)
        self._tell(invoice, "invoice.created")
        self.network.later(_HOUR_S, lambda _: self._hour_is_over(invoice))

    def issue(self, invoice: Invoice) -> None:
        """One that is finalized as soon as it is there."""
        its = self.register.of(invoice.customer_id)
        if self.register.customer(invoice.customer_id).deleted:
            invoice.status = Status.DELETED  # there never was one
            return
        invoice.status, invoice.collection_method = Status.DRAFT, its.collection_method
        self._put(invoice)
        self._hour_is_over(invoice)
        invoice.auto_advance = invoice.auto_advance and not its.ended

    def finalize_by_hand(self, invoice: Invoice) -> None:
        """One that somebody held; from then on it is collected as any other."""
        invoice.auto_advance = True
        self._hour_is_over(invoice)

    def _put(self, invoice: Invoice) -> None:
        invoice.created_s = float(int(asyncio.get_running_loop().time()))
        self.shelf.invoices[invoice.id] = invoice

    def _hour_is_over(self, invoice: Invoice) -> None:
        if invoice.status is not Status.DRAFT or not invoice.auto_advance:
            return
        try:
            self._finalize(invoice)
        except StripeRefused as refused:
            self.network.trace.say("stripe", f"{invoice.id} stays a draft: {refused}")

    def _finalize(self, invoice: Invoice) -> None:
        """Raises StripeRefused: nobody knows where the customer is; nothing tries again."""
        customer = self.register.customer(invoice.customer_id)
        if not invoice.one_off and not customer.can_be_taxed:
            invoice.finalization_error = TAX_UNKNOWN
            self._tell(invoice, "invoice.finalization_failed")
            self.disable_tax(invoice.customer_id)
            raise StripeRefused("nobody knows where he is", code=TAX_UNKNOWN)
        self._must_not_be_there_twice(invoice)
        invoice.finalization_error, invoice.status = None, Status.OPEN
        self._tell(invoice, "invoice.finalized")
        self._paid_if_nothing_remains(invoice)  # of a trial: Stripe closes it by itself
        self._collect(invoice)

    def _collect(self, invoice: Invoice) -> None:
        """What Stripe does by itself, now and some days later."""
        by_itself = invoice.collection_method == BY_STRIPE and invoice.auto_advance
        if not by_itself or invoice.status is not Status.OPEN or invoice.stripe_debit:
            return
        its = self.register.of(invoice.customer_id)
        method_id = invoice.default_payment_method or its.default_payment_method
        try:
            if method_id is None:
                invoice.stripe_tries += 1
                self._decline(invoice)
            else:
                self._charge(invoice, method_id)
        except StripeRefused:
            if invoice.stripe_tries < _TRIES:
                self.network.later(_RETRY_S, lambda _: self._collect(invoice))

    def _charge(self, invoice: Invoice, method_id: str) -> None:
        """Raises StripeRefused: declined."""
        self.may_collect(invoice)
        invoice.stripe_tries += 1
        kind = method_id.split("_")[1]
        self.network.trace.say("stripe", f"charges {invoice.id} with {method_id}")
        if kind == "declines" or (kind == "once" and invoice.stripe_tries == 1):
            self._decline(invoice)
        invoice.taken_by_stripe = True
        if kind in ("debit", "returned"):
            invoice.stripe_debit = True
            self.network.later(2 * _DAY_S, lambda _: self._debit_ends(invoice, kind))
            return
        invoice.paid_by_stripe_minor += invoice.remaining_minor
        self._paid_if_nothing_remains(invoice)

    def _debit_ends(self, invoice: Invoice, kind: str) -> None:
        invoice.taken_by_stripe = kind == "debit"
        self.end_stripe_debit(invoice, good=kind == "debit")

    def _decline(self, invoice: Invoice) -> None:
        self._tell(invoice, "invoice.payment_failed")
        raise StripeRefused("Your card was declined.", code="card_declined")

    async def _edit(
        self, what: str, invoice_id: str, key: str, *, collection_method: str
    ) -> InvoiceLook:
        def edited(invoice: Invoice) -> InvoiceLook:
            self._must_be_a_draft(invoice)
            invoice.collection_method = collection_method
            return self._look(invoice)

        return await self._call(what, invoice_id, lambda i: self._once(key, lambda: edited(i)))

    def _must_be_a_draft(self, invoice: Invoice) -> None:
        if invoice.status is Status.DELETED:
            raise StripeRefused("no such invoice", code="resource_missing")
        if invoice.status is not Status.DRAFT:
            raise StripeRefused(f"the invoice is {invoice.status}", code=_NOT_EDITABLE)

    def _must_be_payable(self, invoice: Invoice) -> None:
        if invoice.status not in (Status.OPEN, Status.UNCOLLECTIBLE):
            raise StripeRefused(f"the invoice is {invoice.status}", code="invoice_not_open")
        if invoice.stripe_debit:
            raise StripeRefused("a debit of it is under way", code="invoice_payment_processing")

    def _must_not_be_there_twice(self, invoice: Invoice) -> None:
        """What asks for the same again is for customers whose former invoice is void."""
        former = self.shelf.invoices.get(invoice.metadata.get(REPLACES, ""))
        if former is not None and former.status is not Status.VOID:
            self.shelf.trace.blame(
                f"{invoice.id} asks for {former.id} again, which is {former.status}"
            )


def _unfinished(invoice: Invoice) -> SubscriptionInvoice:
    shown = InvoiceShape.model_validate(shape_of(invoice))
    return SubscriptionInvoice(shown, invoice.default_payment_method)
