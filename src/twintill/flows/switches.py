"""Asking for a switch: what is refused before anything changes, and the operation that does it.

third party -> Stripe, Stripe -> third party, processor -> processor; its steps are in
`switching`, `handing_over` and `reinvoicing`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.switching import BY_US, CHOICES, KIND, OpenInvoices, Step, To
from twintill.errors import BadRequest, ConflictError, NotFoundError, SettingsError, StripeRefused
from twintill.flows import handing_over, reinvoicing, switch_seen, switching
from twintill.flows.means import Means
from twintill.flows.operating import Walk
from twintill.ids import Scope
from twintill.store import methods as stored
from twintill.store import mirror, operations, switches
from twintill.stripe_billing.subscriptions import SubscriptionLook
from twintill.stripe_billing.switching import is_gone


@dataclass(frozen=True, slots=True)
class SwitchRequest:
    """What is asked for; `payment_method_id`: Stripe's, or one of ours when it is to a processor.

    Without one of ours the customer is sent to a page to choose one: `processor`, `return_url`.
    """

    subscription_id: str
    to: To
    open_invoices: OpenInvoices
    payment_method_id: str | None = None
    days_until_due: int = 30
    processor: str | None = None
    return_url: str | None = None


async def begin(means: Means, scope: Scope, switch_id: str, request: SwitchRequest) -> None:
    """Commit the operation; `flows.operations.drive` makes it happen. Repeating it is harmless.

    Raises BadRequest, NotFoundError, ConflictError, StripeError; then nothing was changed.
    """
    if await _is_known(means, scope, switch_id, request):
        return
    _check_words(request)
    look = await _read_subscription(means, request.subscription_id)
    customer_id = str(look.customer_id)
    if request.to is To.STRIPE:
        await _check_stripes_method(means, request, customer_id)
    _check_moment(request, look)
    async with means.database.begin() as db:
        if request.to is To.PROCESSOR:
            await mirror.add_customer(db, scope, customer_id)
        elif not await mirror.customer_is_known(db, scope, customer_id):
            raise _not_ours(request)
        await switches.lock_customer(db, scope, customer_id)
        await _check_alone(db, scope, request, customer_id)
        if request.to is To.PROCESSOR:
            await _check_our_method(db, means, scope, request, customer_id, look)
        data = {"asked": _asked(request), "subscription_id": look.id, "was": _was(look)}
        first = Step.SUBSCRIPTION if request.to is To.STRIPE else Step.METHOD
        await operations.add(
            db,
            scope,
            operation_id=switch_id,
            kind=KIND,
            customer_id=customer_id,
            step=first,
            data={**data, "invoices": {}},
            ring=False,
        )


async def _is_known(means: Means, scope: Scope, switch_id: str, request: SwitchRequest) -> bool:
    """Asked for before under this id: by the same words, or it is another request."""
    async with means.database.connect() as db:
        try:
            known = await operations.read(db, scope, switch_id)
        except NotFoundError:
            return False
    if known.data["asked"] != _asked(request):
        raise ConflictError(
            f"{switch_id} was asked for with other values", code="idempotency_key_reused"
        )
    return True


def _check_words(request: SwitchRequest) -> None:
    choices = CHOICES[request.to]
    if request.open_invoices not in choices:
        known = ", ".join(choices)
        raise BadRequest(f"open_invoices, to {request.to}: one of {known}.", param="open_invoices")
    if request.to is To.STRIPE and request.payment_method_id is None:
        raise BadRequest(
            "Name the payment method at Stripe that it is to be charged with.",
            param="payment_method",
        )
    nowhere = request.return_url is None or request.processor is None
    if request.to is To.PROCESSOR and request.payment_method_id is None and nowhere:
        raise BadRequest(
            "Name one of the customer's payment methods; or a processor and a return_url, to send "
            "the customer to a page where one is chosen.",
            param="payment_method",
        )


async def _read_subscription(means: Means, subscription_id: str) -> SubscriptionLook:
    try:
        look = await means.stripe.read_subscription(subscription_id)
    except StripeRefused as refused:
        if not is_gone(refused):
            raise
        look = None
    if look is None or look.customer_id is None:
        raise NotFoundError(f"No such subscription: {subscription_id}", param="subscription")
    return look


async def _check_stripes_method(means: Means, request: SwitchRequest, customer_id: str) -> None:
    """Stripe would attach a stray one to whoever names it first."""
    method_id = str(request.payment_method_id)
    try:
        owner = await means.stripe.read_payment_method(method_id)
    except StripeRefused as refused:
        if not is_gone(refused):
            raise
        owner = ""
    if owner != customer_id:
        why = "belongs to nobody: attach it to the customer first" if owner is None else "is not"
        why = why if owner is None else f"is no payment method of {customer_id} at Stripe"
        raise BadRequest(
            f"{method_id} {why}.", code="payment_method_not_the_customers", param="payment_method"
        )


def _check_moment(request: SwitchRequest, look: SubscriptionLook) -> None:
    if look.ended:
        raise ConflictError(
            f"{look.id} has ended ({look.status}).", code="subscription_ended", param="subscription"
        )
    if look.status == "incomplete":
        raise ConflictError(
            f"{look.id} is incomplete: its first invoice is not paid yet.",
            code="subscription_incomplete",
            param="subscription",
        )
    if request.to is To.STRIPE and look.collection_method == To.STRIPE.collection_method:
        raise ConflictError(f"Stripe charges {look.id} already.", code="already_there", param="to")


async def _check_alone(
    db: AsyncConnection, scope: Scope, request: SwitchRequest, customer_id: str
) -> None:
    running = await switches.running(db, scope, customer_id, request.subscription_id)
    if running is not None:
        raise ConflictError(
            f"{running} is switching this subscription: wait for its end.",
            code="switch_running",
            param="subscription",
        )
    unfinished = await switches.unfinished_signup(db, scope, customer_id, request.subscription_id)
    if unfinished is not None:
        raise ConflictError(
            f"The first invoice of this subscription is not paid yet ({unfinished}).",
            code="signup_unfinished",
            param="subscription",
        )


async def _check_our_method(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    request: SwitchRequest,
    customer_id: str,
    look: SubscriptionLook,
) -> None:
    """Of this customer, alive, at a processor that is configured; and not where it is already."""
    if request.payment_method_id is None:
        there = _configured(means, str(request.processor), None)
    else:
        method = await stored.read(db, scope, request.payment_method_id)
        if method.customer_id != customer_id:
            raise NotFoundError(
                f"No such payment method of {customer_id}: {method.id}", param="payment_method"
            )
        if method.status != "active":
            raise ConflictError(
                f"{method.id} is {method.status}.",
                code="payment_method_dead",
                param="payment_method",
            )
        there = _configured(means, method.processor, method.processor_account_id)
    default = await stored.active_default(db, scope, customer_id)
    ours = default if look.collection_method == BY_US else None
    if ours is not None and ours.processor_account_id == there:
        raise ConflictError(
            f"{look.id} is collected through {ours.processor} already: another method there is "
            "a replacement, not a switch.",
            code="already_there",
            param="to",
        )


def _configured(means: Means, processor: str, account_id: str | None) -> str:
    try:
        return means.processor(processor, account_id).account_id
    except SettingsError as error:
        raise BadRequest(str(error), code="processor_unknown", param="processor") from None


def _asked(request: SwitchRequest) -> dict[str, Any]:
    return {name: value for name, value in asdict(request).items() if name != "subscription_id"}


def _was(look: SubscriptionLook) -> dict[str, Any]:
    """As Stripe showed it before: for people, and for what Stripe is to go on with."""
    return {
        "collection_method": look.collection_method,
        "days_until_due": look.days_until_due,
        "default_payment_method": look.default_payment_method_id,
    }


def _not_ours(request: SwitchRequest) -> NotFoundError:
    return NotFoundError(
        f"{request.subscription_id} is not of a customer that is collected from here.",
        param="subscription",
    )


STEPS: Mapping[str, Walk] = {
    **switching.STEPS,
    **handing_over.STEPS,
    **reinvoicing.STEPS,
    **switch_seen.STEPS,
}
