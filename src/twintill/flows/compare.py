"""Comparing our books with Stripe's and the processors': a walk in three parts, page by page.

listing     Stripe's invoices since a day, newest first, each against our payment of it
unlisted    our payments since then that no list showed, one read each
processors  their attempts, looked up by our reference, and the one that must not exist yet; and
            what was given back of their receipts

It changes nothing there, and here only when an invoice was last told of. What differs is looked at
once more, on both sides, before it is told: payments move meanwhile.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from twintill import ids
from twintill.domain import comparing as rules
from twintill.domain.comparing import Difference, Listed
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import LookUp, NoAnswer, NotSent
from twintill.domain.payment import Attempt, Payment
from twintill.errors import SettingsError, StripeRefused
from twintill.flows import compare_refunds
from twintill.flows.invoices import CLOCKS_DIFFER
from twintill.flows.means import Means
from twintill.flows.searching import search_for_lost, search_of
from twintill.ids import Scope
from twintill.processors import LookUpBy, Processor
from twintill.store import clock, comparing, invoice_pages, mirror, pace, payments
from twintill.store.comparing import Place
from twintill.stripe_billing.invoices import RESOURCE_MISSING

TOLD_MAX = 100
LISTED = 100
LOOKED_UP = 10
# An event may still be on its way.
_FRESH = timedelta(hours=1)


class Part(StrEnum):
    LISTING = "listing"
    UNLISTED = "unlisted"
    PROCESSORS = "processors"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Walk:
    """How far it is, and what it found; JSON in and out."""

    since: datetime
    began: datetime
    part: Part = Part.LISTING
    after: str | None = None  # of the list of Stripe's, or the place of a payment
    invoices: int = 0
    payments: int = 0
    attempts: int = 0
    not_asked: int = 0  # attempts that their processor could not, or cannot, be asked for
    differ: int = 0
    differences: tuple[dict[str, str | None], ...] = ()  # the first TOLD_MAX

    def saved(self) -> dict[str, Any]:
        times = {"since": self.since.isoformat(), "began": self.began.isoformat()}
        return {**asdict(self), **times, "part": self.part.value}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Walk":
        times = {name: datetime.fromisoformat(saved[name]) for name in ("since", "began")}
        told = tuple(saved["differences"])
        return cls(**{**saved, **times, "part": Part(saved["part"]), "differences": told})

    def found(self, differences: list[Difference]) -> "Walk":
        told = (*self.differences, *(asdict(d) for d in differences))
        more = self.differ + len(differences)
        return replace(self, differ=more, differences=told[:TOLD_MAX])


async def begin(means: Means, back: timedelta | None, since: datetime | None = None) -> Walk:
    """A walk over what was created since then, or since that long ago."""
    async with means.database.connect() as db:
        now = await clock.now(db)
    return Walk(since=since or now - (back or timedelta(days=2)), began=now)


async def reads_left(means: Means, scope: Scope) -> int:
    async with means.database.connect() as db:
        return await pace.reads_left(db, scope, means.stripe_reads_per_day)


async def step(means: Means, scope: Scope, walk: Walk) -> Walk:
    """One page. Raises StripeError."""
    match walk.part:
        case Part.LISTING:
            return await _listing(means, scope, walk)
        case Part.UNLISTED:
            return await _unlisted(means, scope, walk)
        case Part.PROCESSORS:
            return await _processors(means, scope, walk)
    return walk


async def _listing(means: Means, scope: Scope, walk: Walk) -> Walk:
    page, more = await means.stripe.list_invoices(
        walk.since, starting_after=walk.after, limit=LISTED
    )
    invoice_ids = [listed.look.invoice_id for listed in page]
    async with means.database.begin() as db:
        await comparing.listed_now(db, scope, invoice_ids)
        known = await invoice_pages.payments_of_invoices(db, scope, invoice_ids)
        ours = {i: await payments.read(db, scope, row.payment_id) for i, row in known.items()}
    for listed in page:
        payment = ours.get(listed.look.invoice_id)
        if await _compare(means, scope, listed, payment, walk):
            walk = walk.found(await _once_more(means, scope, listed.look.invoice_id, walk))
    walk = replace(walk, invoices=walk.invoices + len(page))
    if more and page:
        return replace(walk, after=invoice_ids[-1])
    return replace(walk, part=Part.UNLISTED, after=None)


async def _unlisted(means: Means, scope: Scope, walk: Walk) -> Walk:
    async with means.database.connect() as db:
        places = await comparing.page_unlisted(
            db, scope, walk.since, _place(walk.after), LOOKED_UP, began=walk.began
        )
        ours = [await payments.read(db, scope, place.payment_id) for place in places]
    for payment in ours:
        walk = walk.found(await _once_more(means, scope, payment.invoice_id, walk))
    if len(places) < LOOKED_UP:
        return replace(walk, part=Part.PROCESSORS, after=None)
    return replace(walk, after=_saved(places[-1]))


async def _compare(
    means: Means, scope: Scope, listed: Listed, payment: Payment | None, walk: Walk
) -> list[Difference]:
    if payment is not None:
        return rules.compare_invoice(payment, listed)
    fresh = listed.created_at is None or listed.created_at > walk.began - _FRESH
    if fresh or listed.customer_id is None:
        return []
    async with means.database.connect() as db:
        ours = await mirror.collects_from(db, scope, listed.customer_id)
        if ours and listed.created_at is not None:  # else it is paid by wire
            ours = await mirror.collected_from_at(
                db, scope, listed.customer_id, listed.created_at + CLOCKS_DIFFER
            )
    return rules.compare_unknown(listed, ours=ours)


async def _once_more(means: Means, scope: Scope, invoice_id: str, walk: Walk) -> list[Difference]:
    """Both sides as they are now: Stripe first, so that ours is the newer one."""
    try:
        listed = await means.stripe.read_listed(invoice_id)
    except StripeRefused as refused:
        if refused.code != RESOURCE_MISSING:
            raise
        listed = Listed(_gone(means, invoice_id), None, None)
    async with means.database.connect() as db:
        its_id = await mirror.payment_of_invoice(db, scope, invoice_id)
        payment = None if its_id is None else await payments.read(db, scope, its_id)
    return await _compare(means, scope, listed, payment, walk)


def _gone(means: Means, invoice_id: str) -> InvoiceLook:
    return InvoiceLook(
        invoice_id=invoice_id,
        status=InvoiceStatus.DELETED,
        currency="XXX",
        amount_due_minor=0,
        amount_paid_minor=0,
        amount_remaining_minor=0,
        collection_method="send_invoice",
        livemode=means.scope.livemode,
        due_at=None,
    )


async def _processors(means: Means, scope: Scope, walk: Walk) -> Walk:
    async with means.database.connect() as db:
        places = await comparing.page(db, scope, walk.since, _place(walk.after), LOOKED_UP)
    for place in places:
        walk = await _look_up(means, scope, place, walk)
    if len(places) < LOOKED_UP:
        return replace(walk, part=Part.DONE, after=None)
    return replace(walk, after=_saved(places[-1]))


async def _look_up(means: Means, scope: Scope, place: Place, walk: Walk) -> Walk:
    payment, unanswered, told = await _ask(means, scope, place)
    if told:  # once more: it may have moved between our reading and theirs
        payment, unanswered, told = await _ask(means, scope, place)
    walk = replace(
        walk,
        payments=walk.payments + 1,
        attempts=walk.attempts + len(payment.attempts),
        not_asked=walk.not_asked + unanswered,
    )
    return walk.found(told)


async def _ask(means: Means, scope: Scope, place: Place) -> tuple[Payment, int, list[Difference]]:
    """The payment, of how many attempts not all was answered, and what of it differs."""
    async with means.database.connect() as db:
        payment = await payments.read(db, scope, place.payment_id)
        now = await clock.now(db)
    unanswered = 0
    told: list[Difference] = []
    for attempt in payment.attempts:
        answer = await _find(means, scope, attempt)
        told += rules.compare_attempt(payment, attempt, answer)
        of_refunds = await compare_refunds.differences(means, payment, attempt, now)
        told += of_refunds or ()
        unanswered += isinstance(answer, NoAnswer | NotSent) or of_refunds is None
    following = ids.reference(scope, payment.invoice_id, "charge", payment.next_n)
    search = search_for_lost(following, place.created_at)
    for processor in _of(means, payment):
        told += rules.compare_next(payment, following, await processor.find_charge(search))
    return payment, unanswered, told


def _of(means: Means, payment: Payment) -> list[Processor]:
    """Those that a charge of this payment may be at, and that can be asked."""
    used = {attempt.processor_account_id for attempt in payment.attempts}
    return [
        processor
        for processor in means.processors.values()
        if processor.capabilities.look_up is LookUpBy.REFERENCE
        and (not used or processor.account_id in used)
    ]


async def _find(means: Means, scope: Scope, attempt: Attempt) -> LookUp:
    try:
        processor = means.processor(attempt.processor, attempt.processor_account_id)
    except SettingsError as error:
        return NoAnswer(str(error))
    if processor.capabilities.look_up is LookUpBy.REFERENCE:
        return await processor.find_charge(search_of(means, scope, attempt))
    if attempt.processor_payment_id is not None:
        return await processor.get_charge(attempt.processor_payment_id)
    return NoAnswer("this processor cannot be asked")


def _saved(place: Place) -> str:
    return f"{place.created_at.astimezone(UTC).isoformat()}|{place.payment_id}"


def _place(saved: str | None) -> Place | None:
    if saved is None:
        return None
    at, _, payment_id = saved.partition("|")
    return Place(datetime.fromisoformat(at), payment_id)
