"""The simulated Stripe: invoices with their rules, a gateway-shaped door, and a book of its own."""

import asyncio
import copy
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests.simulation.afterwards import Shelf
from tests.simulation.collecting import Collecting
from tests.simulation.faults import Hit, Network
from tests.simulation.invoice import Invoice, shape_of
from tests.simulation.subscriptions import BY_US, Register
from twintill.domain.comparing import Listed
from twintill.domain.invoice import InvoiceLook, StripePayment
from twintill.domain.invoice import InvoiceStatus as Status
from twintill.domain.pace import Urgency
from twintill.errors import (
    StripeError,
    StripeForbidden,
    StripeRefused,
    StripeThrottled,
    StripeUnreadable,
)
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import PAGE
from twintill.stripe_billing.invoices import MarkedInvoice
from twintill.stripe_billing.shapes import InvoiceShape

T = TypeVar("T")
PATIENCE_S = 15.0
LIVE = (Status.OPEN, Status.UNCOLLECTIBLE)


class SimStripe(Collecting):
    """What flows call, and what the rest of the world may do there (verbs without `async`)."""

    def __init__(self, network: Network, installation_id: str, emit: Callable[[str], None]) -> None:
        self.network, self._installation_id, self._emit = network, installation_id, emit
        self.invoices: dict[str, Invoice] = {}
        self.ended_customers: dict[str, float] = {}  # since when
        self.register = Register()
        self.wallet: dict[str, str] = {}
        self.may_collect: Callable[[Invoice], None] = lambda _: None
        self.shelf = Shelf(self.invoices, {}, {}, {}, network.trace)
        self.events: list[dict[str, Any]] = []
        self.undelivered: set[str] = set()  # ids of events
        self.unanswered: list[float] = []  # when a request was not answered well
        self.looked_at: Callable[[Invoice], None] = lambda _: None  # its answer is on its way
        self._being_called: dict[str, str] = {}  # by whom is alive: a call of the dead may arrive

    def seen_by(self, installation_id: str) -> "SimStripe":
        """The same Stripe, called by another installation."""
        view = copy.copy(self)
        view._installation_id, view._being_called = installation_id, {}
        return view

    # What flows call.

    async def last_look(self, invoice_id: str, n: int) -> InvoiceLook:
        def written(invoice: Invoice) -> InvoiceLook:
            self.looked_at(invoice)
            return self._write(invoice, marks.intent(self._installation_id, n))

        look = await self._call("last look", invoice_id, written)
        self.invoices[invoice_id].looks.append((asyncio.get_running_loop().time(), look))
        return look

    async def write_reference(
        self, invoice_id: str, reference: str, processor: str, processor_payment_id: str | None
    ) -> InvoiceLook:
        metadata = {
            marks.REFERENCE: reference,
            marks.PROCESSOR: processor,
            marks.PROCESSOR_PAYMENT_ID: processor_payment_id or "",
        }
        return await self._call("reference", invoice_id, lambda i: self._write(i, metadata))

    async def pay_out_of_band(self, invoice_id: str, key: str) -> InvoiceLook:
        self.invoices[invoice_id].pay_calls += 1
        return await self._call("pay", invoice_id, lambda i: self._pay(i, key))

    async def read_invoice(self, invoice_id: str, urgency: Urgency = Urgency.OTHER) -> InvoiceLook:
        return await self._call("read", invoice_id, self._look)

    async def void(self, invoice_id: str, key: str) -> InvoiceLook:
        return await self._call("void", invoice_id, lambda i: self._end(i, key, Status.VOID))

    async def mark_uncollectible(self, invoice_id: str, key: str) -> InvoiceLook:
        status = Status.UNCOLLECTIBLE
        return await self._call("write off", invoice_id, lambda i: self._end(i, key, status))

    async def list_invoices(
        self, created_gte: datetime, *, starting_after: str | None = None, limit: int = PAGE
    ) -> tuple[list[Listed], bool]:
        def listed(_: Any) -> tuple[list[Listed], bool]:
            since_s = created_gte.timestamp()
            found = [i for i in self.invoices.values() if i.created_s >= since_s]
            rest = _behind(found, starting_after)
            return [self._listed(i) for i in rest[:limit]], len(rest) > limit

        return await self._call("list", "all invoices", listed)

    async def read_listed(self, invoice_id: str) -> Listed:
        return await self._call("read", invoice_id, self._listed)

    async def list_marked(
        self, created_gte: datetime, *, starting_after: str | None = None
    ) -> list[MarkedInvoice]:
        def listed(_: Any) -> list[MarkedInvoice]:
            since_s = created_gte.timestamp()
            sent = [i for i in self.invoices.values() if i.collection_method == BY_US]
            found = [i for i in sent if i.created_s >= since_s]
            return [self._marked(i) for i in _behind(found, starting_after)]

        return await self._call("list", "invoices", listed)

    async def list_open_invoices(
        self, created_lte: datetime, *, starting_after: str | None = None, limit: int = PAGE
    ) -> list[dict[str, Any]]:
        def listed(_: Any) -> list[dict[str, Any]]:
            sent = [i for i in self.invoices.values() if i.collection_method == BY_US]
            is_open = [i for i in sent if i.status is Status.OPEN]
            found = [i for i in is_open if i.created_s <= created_lte.timestamp()]
            return [shape_of(i) for i in _behind(found, starting_after)[:limit]]

        return await self._call("list", "open invoices", listed)

    async def list_unsettled_invoices(self, customer_id: str) -> list[InvoiceShape]:
        def listed(_: Any) -> list[InvoiceShape]:
            his = [i for i in self.invoices.values() if i.customer_id == customer_id]
            sent = [i for i in his if i.collection_method == BY_US]
            found = [i for i in sent if i.status in (Status.DRAFT, Status.OPEN)]
            return [InvoiceShape.model_validate(shape_of(i)) for i in found]

        return await self._call("list", f"open invoices of {customer_id}", listed)

    async def list_events(
        self,
        created_gte: datetime,
        types: Sequence[str],
        *,
        delivery_success: bool | None = None,
        starting_after: str | None = None,
        limit: int = PAGE,
    ) -> list[dict[str, Any]]:
        def listed(_: Any) -> list[dict[str, Any]]:
            since_s = int(created_gte.timestamp())
            ids = [e["id"] for e in reversed(self.events)]
            behind = 1 + ids.index(starting_after) if starting_after else 0
            found = [
                event
                for event in [*reversed(self.events)][behind:]
                if event["created"] >= since_s
                and event["type"] in types
                and (delivery_success is not False or event["id"] in self.undelivered)
            ]
            return found[:limit]

        return await self._call("list", "events", listed)

    # What the merchant and the customer do there.

    def close(self, invoice: Invoice, status: Status) -> None:
        """As void, or written off; not while a debit of Stripe's is under way."""
        if invoice.stripe_debit:
            return
        from_any = status is Status.VOID and invoice.status in LIVE
        if from_any or invoice.status is Status.OPEN:
            invoice.status = status
            said = "voided" if status is Status.VOID else "marked_uncollectible"
            self._tell(invoice, f"invoice.{said}")

    def credit(self, invoice: Invoice, minor: int) -> None:
        if invoice.status is Status.OPEN:
            invoice.credited_minor += min(minor, invoice.remaining_minor)
            self._tell(invoice, "invoice.updated")
            self._paid_if_nothing_remains(invoice)

    def void_credit(self, invoice: Invoice) -> None:
        if invoice.status is Status.OPEN and invoice.credited_minor:
            invoice.credited_minor = 0
            self._tell(invoice, "invoice.updated")

    def pay_by_stripe(self, invoice: Invoice) -> None:
        if invoice.status in LIVE and not invoice.stripe_debit:
            invoice.paid_by_stripe_minor += invoice.remaining_minor
            self._paid_if_nothing_remains(invoice)

    def begin_stripe_debit(self, invoice: Invoice) -> None:
        if invoice.status is Status.OPEN:
            invoice.stripe_debit = True

    def end_stripe_debit(self, invoice: Invoice, *, good: bool) -> None:
        begun, invoice.stripe_debit = invoice.stripe_debit, False
        if begun and good:
            self.pay_by_stripe(invoice)
        elif begun:
            self._tell(invoice, "invoice.payment_failed")

    def edit_by_hand(self, invoice: Invoice, due_s: float | None = None, **metadata: str) -> None:
        """What Stripe lets people change of an open invoice."""
        if invoice.status is Status.OPEN:
            invoice.due_s = due_s or invoice.due_s
            invoice.metadata |= metadata
            self._tell(invoice, "invoice.updated")

    def pay_by_hand(self, invoice: Invoice) -> None:
        if invoice.status in LIVE and not invoice.stripe_debit:
            invoice.paid_by_hand_minor += invoice.remaining_minor
            self._paid_if_nothing_remains(invoice)

    def _pay(self, invoice: Invoice, key: str) -> InvoiceLook:
        return self._once(key, lambda: self._pay_now(invoice))

    def _end(self, invoice: Invoice, key: str, status: Status) -> InvoiceLook:
        return self._once(key, lambda: self._end_now(invoice, status))

    def _pay_now(self, invoice: Invoice) -> InvoiceLook:
        if invoice.status not in LIVE:
            raise StripeRefused(f"the invoice is {invoice.status}", code="invoice_not_open")
        if marks.REFERENCE not in invoice.metadata:
            self.network.trace.blame(f"{invoice.id}: paid before the reference was written")
        self.may_pay(invoice)
        invoice.paid_by_us_minor += invoice.remaining_minor
        self._paid_if_nothing_remains(invoice)
        return self._look(invoice)

    def _end_now(self, invoice: Invoice, status: Status) -> InvoiceLook:
        before = invoice.status
        self.close(invoice, status)
        if invoice.status is before:
            raise StripeRefused(f"the invoice is {before}", code="invoice_not_open")
        return self._look(invoice)

    def _write(self, invoice: Invoice, metadata: dict[str, str]) -> InvoiceLook:
        invoice.metadata |= metadata
        invoice.shown_minor = invoice.remaining_minor
        return self._look(invoice)

    def _look(self, invoice: Invoice) -> InvoiceLook:
        ours = marks.read_marks(invoice.metadata, self._installation_id)
        processing = StripePayment.PROCESSING if invoice.stripe_debit else StripePayment.NONE
        return InvoiceLook(
            invoice_id=invoice.id,
            status=invoice.status,
            currency=invoice.currency,
            amount_due_minor=invoice.total_minor - invoice.credited_minor,
            amount_paid_minor=invoice.paid_minor,
            amount_remaining_minor=invoice.remaining_minor,
            collection_method=invoice.collection_method,
            livemode=False,
            due_at=datetime.fromtimestamp(invoice.due_s, UTC),
            stripe_payment=StripePayment.PAID if invoice.paid_by_stripe_minor else processing,
            stripe_paid_minor=invoice.paid_by_stripe_minor,
            highest_n=ours.highest_n,
            foreign_installation=ours.foreign_installation,
            our_reference=ours.our_reference,
            handed_by=ours.handed_by,
            credited_minor=invoice.credited_minor,
        )

    def _paid_if_nothing_remains(self, invoice: Invoice) -> None:
        if invoice.remaining_minor == 0:
            invoice.status = Status.PAID
            self._tell(invoice, "invoice.paid")

    async def _call(self, what: str, object_id: str, act: Callable[[Any], T]) -> T:
        """One request; every failure as the gateway would raise it."""
        target = self.invoices.get(object_id)

        def arrive(_: float) -> tuple[T | None, StripeError | None]:
            if what == "finalize":  # Stripe tells of it before it answers
                self._being_called.pop(object_id, None)
            try:
                done = act(target)
            except StripeError as error:
                self.network.trace.say("stripe", f"{what} {object_id}: {error}")
                return None, error
            self.network.trace.say("stripe", f"{what} {object_id}{_shown(done)}")
            return done, None

        share = self._share(what)
        # Of one that is open already, by whoever heard no answer: nothing happens.
        again = what == "finalize" and target is not None and target.status is not Status.DRAFT
        if object_id in self._being_called and not again:
            self.network.trace.blame(f"{object_id}: {what} beside {self._being_called[object_id]}")
        if target is not None and not again:
            self._being_called[object_id] = what
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self.network.carry(f"stripe {what} {object_id}", share, arrive)
        except TimeoutError:
            self.unanswered.append(asyncio.get_running_loop().time())
            raise StripeUnreadable("no answer in time") from None
        finally:
            self._being_called.pop(object_id, None)
        if answer.hit is not Hit.NONE:
            self.unanswered.append(asyncio.get_running_loop().time())
        if answer.hit is Hit.THROTTLED:
            raise StripeThrottled("too fast", code="lock_timeout")
        if answer.hit is Hit.FORBIDDEN:
            raise StripeForbidden("wrong key")
        if answer.hit is not Hit.NONE or answer.value is None:
            raise StripeUnreadable(str(answer.hit))
        value, error = answer.value
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def _share(self, what: str) -> float:
        """Of requests that something befalls; a credit note cannot be voided: it is tried most."""
        weather = self.network.weather
        least = 0.8 * weather.demands if what == "credit" else 0.0
        return max(weather.stripe_faults, least)

    def _tell(self, invoice: Invoice, event_type: str) -> None:
        self.network.trace.say("stripe", f"{event_type} {invoice.id} {invoice.remaining_minor}")
        self._event(event_type, shape_of(invoice))

    def _event(
        self,
        event_type: str,
        thing: dict[str, Any],
        key: str | None = None,
        *,
        previous: dict[str, Any] | None = None,
    ) -> None:
        event = {
            "object": "event",
            "id": f"evt_{len(self.events) + 1:05}",
            "type": event_type,
            "created": int(asyncio.get_running_loop().time()),
            "livemode": False,
            "request": {"id": None, "idempotency_key": key},
            "data": {"object": thing} | ({"previous_attributes": previous} if previous else {}),
        }
        self.events.append(event)
        self.undelivered.add(str(event["id"]))
        self._emit(json.dumps(event))

    def _listed(self, invoice: Invoice) -> Listed:
        created_at = datetime.fromtimestamp(invoice.created_s, UTC)
        paid_minor = invoice.paid_by_stripe_minor
        return Listed(self._look(invoice), invoice.customer_id, created_at, paid_minor)

    def _marked(self, invoice: Invoice) -> MarkedInvoice:
        read = marks.read_marks(invoice.metadata, self._installation_id)
        return MarkedInvoice(InvoiceShape.model_validate(shape_of(invoice)), read)


def _behind(invoices: list[Invoice], last: str | None) -> list[Invoice]:
    """Newest first, after the one that the last page ended with."""
    newest = sorted(invoices, key=lambda i: (i.created_s, i.id), reverse=True)
    ids = [invoice.id for invoice in newest]
    return newest[1 + ids.index(last) :] if last is not None else newest


def _shown(answer: object) -> str:
    if isinstance(answer, InvoiceLook):
        return f": {answer.status} {answer.amount_remaining_minor}"
    return ""
