"""A customer whose tax cannot be computed: seen, told, listed, and healed when the place is mended.

    look -> (told; looked at again when the place changes, and every day)
         -> enable: automatic tax that Stripe switched off -> finalize: drafts that are stuck
         -> mended

One operation per customer; while it has not ended there is a problem. What it knows it asks Stripe
for: an address that is mended in the Dashboard heals as one that comes through the API. A sign-up
that waits for an address goes on then, whoever gave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.event_types import TAX_MENDED, TAX_PROBLEM
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.switching import KIND as SWITCH
from twintill.domain.tax import (
    KIND,
    LOCATION_CODES,
    WHAT_TO_DO,
    TaxProblem,
    problem_of,
    problem_of_refusal,
)
from twintill.errors import BadRequest, StripeRefused
from twintill.flows.means import Means
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope, derived_id
from twintill.store import checkouts, mirror, operations, outgoing, reviews
from twintill.store.operations import Operation
from twintill.stripe_billing.events import StripeEvent
from twintill.stripe_billing.shapes import InvoiceShape
from twintill.stripe_billing.subscriptions import SubscriptionLook

_GONE = "resource_missing"
_A_DAY = timedelta(days=1)
_SOON = timedelta(minutes=30)  # "failed" passes by itself
_BESIDE = timedelta(seconds=20)  # longer than a switch waits for us
_LOOK, _ENABLE, _FINALIZE, _MENDED = "look", "enable", "finalize", "mended"


@dataclass(frozen=True, slots=True)
class TaxState:
    """How it stands with one customer; `problem` None: nothing is known to be wrong."""

    customer_id: str
    problem: TaxProblem | None
    since: datetime | None
    needs_person: str | None

    @property
    def what_to_do(self) -> str | None:
        if self.problem is None:
            return self.needs_person
        return WHAT_TO_DO[self.problem].replace("{customer}", self.customer_id)


async def saw_failure(db: AsyncConnection, scope: Scope, invoice: InvoiceShape) -> None:
    """In the caller's transaction: Stripe could not finalize an invoice; perhaps of ours."""
    customer_id = invoice.customer_id
    of_tax = problem_of_refusal(invoice.finalization_error) is not None
    if of_tax and customer_id and await mirror.customer_is_known(db, scope, customer_id):
        await ask(db, scope, customer_id)


async def saw_customer(db: AsyncConnection, scope: Scope, event: StripeEvent) -> None:
    """Somebody changed where the customer is: where there is a problem, look at it now."""
    moved = {"address", "shipping", "tax", "tax_exempt"} & event.changed
    if moved and event.customer_id is not None:
        await operations.ring(db, scope, operation_id(scope, event.customer_id))
        await _wake_signups(db, scope, event.customer_id)


async def ask(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """In the caller's transaction; asking twice is harmless."""
    its_id = operation_id(scope, customer_id)
    new = await operations.add(
        db,
        scope,
        operation_id=its_id,
        kind=KIND,
        customer_id=customer_id,
        step=_LOOK,
        data={"problem": None, "since": None},
    )
    if not new:
        await operations.ask_again(db, scope, its_id, first=_LOOK)


async def locate(
    means: Means,
    scope: Scope,
    customer_id: str,
    *,
    key: str,
    address: Mapping[str, str] | None = None,
    ip: str | None = None,
    shipping: Mapping[str, str] | None = None,
    clear_shipping: bool = False,
) -> None:
    """Tell Stripe where the customer is; what waits for it goes on. Raises BadRequest."""
    try:
        if shipping is not None or clear_shipping:
            await means.stripe.write_shipping(customer_id, shipping, f"{key}:shipping")
        if address or ip:
            await means.stripe.write_location(customer_id, address, ip)
    except StripeRefused as refused:
        if refused.code not in LOCATION_CODES:
            raise
        raise BadRequest(
            "Stripe does not know this place: check country and postal code; a shipping address "
            "that is not precise comes before the billing address.",
            code="customer_tax_location_invalid",
            param="address",
        ) from None
    async with means.database.begin() as db:
        await ask(db, scope, customer_id)
        await _wake_signups(db, scope, customer_id)


def operation_id(scope: Scope, customer_id: str) -> str:
    return derived_id("tax", scope, customer_id)


def state_of(operation: Operation) -> TaxState:
    problem, since = operation.data.get("problem"), operation.data.get("since")
    stands = operation.ended_at is None
    return TaxState(
        customer_id=str(operation.customer_id),
        problem=TaxProblem(problem) if problem and stands else None,
        since=datetime.fromisoformat(since) if since and stands else None,
        needs_person=operation.parked_why,
    )


async def look(operating: Operating) -> Operating | None:
    located = await operating.means.stripe.read_location(str(operating.operation.customer_id))
    problem = problem_of(located)
    if problem is not None:
        await _stands(operating, problem)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _ENABLE)


async def enable(operating: Operating) -> Operating | None:
    """One subscription after the other: those that Stripe switched it off for by itself."""
    stripe = operating.means.stripe
    off = next(
        (one for one in await _live(operating) if one.tax_disabled_because is not None), None
    )
    if off is None:
        async with operating.means.database.begin() as db:
            return await operating.moved(db, _FINALIZE)
    try:
        # Also a stored 500 must not stand in the way: the next look has another key.
        key = f"{operating.key}:{off.id}:{int(operating.now.timestamp())}"
        await stripe.enable_tax(off.id, key)
    except StripeRefused as refused:
        await _refused(operating, refused)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _ENABLE)


async def finalize(operating: Operating) -> Operating | None:
    """Stripe tries a finalization that failed once never again by itself."""
    if await operating.is_beside(SWITCH):  # it changes drafts
        await operating.pause(_BESIDE)
        return None
    stripe, stuck = operating.means.stripe, await _stuck(operating)
    if stuck is None:
        return await _mended(operating)
    key = f"{operating.key}:{stuck}:{int(operating.now.timestamp())}"
    try:
        look = await stripe.finalize(stuck, key)
    except StripeRefused as refused:
        look = await stripe.read_invoice(stuck)
        if look.status is InvoiceStatus.DRAFT:
            await _refused(operating, refused)
            return None
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, operating.scope, look)
        return await operating.moved(db, _FINALIZE)


async def _stuck(operating: Operating) -> str | None:
    """The next draft; what a subscription left when it ended, Stripe would not ask for either."""
    live = {one.id for one in await _live(operating)}
    customer_id = str(operating.operation.customer_id)
    for draft in await operating.means.stripe.list_stuck_drafts(customer_id):
        if draft.subscription_id is None or draft.subscription_id in live:
            async with operating.means.database.connect() as db:
                queued = await reviews.is_queued(db, operating.scope, draft.id)
            if not queued:  # else somebody has to release it
                return draft.id
    return None


async def _live(operating: Operating) -> list[SubscriptionLook]:
    """None of a customer who was deleted."""
    try:
        customer_id = str(operating.operation.customer_id)
        return await operating.means.stripe.list_live_subscriptions(customer_id)
    except StripeRefused as refused:
        if refused.code != _GONE:
            raise
        return []


async def _wake_signups(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """Those that wait for an address try again: once for each word that the place is another."""
    for signup_id in await checkouts.address_has_changed(db, scope, customer_id):
        await operations.ring(db, scope, signup_id)


async def _refused(operating: Operating, refused: StripeRefused) -> None:
    problem = problem_of_refusal(refused.code)
    if problem is None:
        raise refused
    await _stands(operating, problem)


async def _stands(operating: Operating, problem: TaxProblem) -> None:
    """Told once for each problem; then looked at again by itself, and when the place changes."""
    if operating.data.get("problem") != problem:
        async with operating.means.database.begin() as db:
            since = operating.now.isoformat()
            operating = await operating.moved(db, _LOOK, problem=problem.value, since=since)
            await _tell(db, operating, TAX_PROBLEM, problem)
    elif operating.operation.step != _LOOK:
        async with operating.means.database.begin() as db:
            operating = await operating.moved(db, _LOOK)
    passes = problem is TaxProblem.CALCULATION_FAILED
    await operating.pause(_SOON if passes else _A_DAY)


async def _mended(operating: Operating) -> Operating | None:
    """Unless somebody asked anew meanwhile."""
    if operating.data.get("problem") is not None:
        async with operating.means.database.begin() as db:
            await _wake_signups(db, operating.scope, str(operating.operation.customer_id))
            operating = await operating.moved(db, _FINALIZE, problem=None, since=None)
            await _tell(db, operating, TAX_MENDED, None)
    return await operating.end_or_again(_MENDED, _LOOK)


async def _tell(
    db: AsyncConnection, operating: Operating, event: str, problem: TaxProblem | None
) -> None:
    if not operating.means.tells_app:
        return
    customer_id = str(operating.operation.customer_id)
    told: dict[str, Any] = {
        "object": "tax_location",
        "customer": customer_id,
        "problem": problem.value if problem else None,
        "what_to_do": WHAT_TO_DO[problem].replace("{customer}", customer_id) if problem else None,
    }
    await outgoing.add(db, operating.scope, event, customer_id, told)


STEPS: Mapping[str, Walk] = {_LOOK: look, _ENABLE: enable, _FINALIZE: finalize}
