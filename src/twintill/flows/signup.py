"""Signing up: customer and subscription in Stripe, a checkout for a person, access when it is paid.

One operation per sign-up (domain.signup has its steps). Its data holds what was asked for under
"asked", and the ids found so far.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain import signup as rules
from twintill.domain.invoice import InvoiceLook
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.signup import Access, Step
from twintill.errors import BadRequest, ConflictError, SettingsError, StripeRefused
from twintill.flows import access, checkout, cleaning
from twintill.flows.means import Means
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope
from twintill.store import checkouts, mirror, operations, outgoing, payments, subscriptions
from twintill.store.checkouts import CheckoutState, NewCheckout, Purpose
from twintill.store.operations import Operation
from twintill.store.subscription_history import Told
from twintill.stripe_billing.subscriptions import SubscriptionLook

KIND = "signup"
_EARLIER = timedelta(hours=1)  # Stripe's clock and ours need not agree


@dataclass(frozen=True, slots=True)
class SignupRequest:
    """What the user's app asks for; `customer_id` for a customer that Stripe has already."""

    items: tuple[tuple[str, int], ...]  # price and quantity
    success_url: str
    cancel_url: str
    processor: str
    days_until_due: int = 30
    customer_id: str | None = None
    email: str | None = None
    name: str | None = None
    address: Mapping[str, str] | None = None  # billing; in Stripe's words
    ip_address: str | None = None
    customer_metadata: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    trial_period_days: int | None = None
    trial_end: int | None = None  # Unix seconds
    automatic_tax: bool = False
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Signup:
    """A sign-up as the API shows it."""

    operation: Operation
    checkout: checkouts.Checkout | None
    payment: Payment | None

    @property
    def state(self) -> rules.SignupState:
        confirming = self.checkout is not None and self.checkout.state is CheckoutState.CONFIRMING
        return rules.state_of(Step(self.operation.step), self.payment, confirming=confirming)


async def begin(means: Means, scope: Scope, signup_id: str, request: SignupRequest) -> None:
    """Commit the operation; `flows.operations.drive` makes it happen. Repeating it is harmless.

    Raises BadRequest for a processor that is not configured, ConflictError when this id was used
    for another request.
    """
    try:
        means.processor(request.processor)
    except SettingsError as error:
        raise BadRequest(str(error), code="processor_unknown", param="processor") from None
    asked = {**asdict(request), "items": [list(item) for item in request.items]}
    async with means.database.begin() as db:
        added = await operations.add(
            db,
            scope,
            operation_id=signup_id,
            kind=KIND,
            customer_id=request.customer_id,
            step=Step.CREATE_CUSTOMER,
            data={"asked": asked},
            ring=False,
        )
        if not added and (await operations.read(db, scope, signup_id)).data["asked"] != asked:
            raise ConflictError(
                f"{signup_id} was asked for with other values", code="idempotency_key_reused"
            )


async def show(db: AsyncConnection, scope: Scope, operation: Operation) -> Signup:
    """With its checkout and payment, as they are now."""
    return (await show_all(db, scope, [operation]))[0]


async def show_all(db: AsyncConnection, scope: Scope, page: list[Operation]) -> list[Signup]:
    found = await checkouts.of_operations(db, scope, [operation.id for operation in page])
    shown = []
    for operation in page:
        its = found.get(operation.id)
        paid = its.payment_id if its else None
        payment = await payments.read(db, scope, paid) if paid else None
        shown.append(Signup(operation, its, payment))
    return shown


async def create_customer(operating: Operating) -> Operating | None:
    """A blank customer in Stripe, or the one that was named, if it is there."""
    try:
        customer_id, operating = await _customer(operating)
    except StripeRefused as refused:
        await _fail(operating, str(refused), code=refused.code)
        return None
    if customer_id is None:
        asked = operating.data["asked"]["customer_id"]
        await _fail(operating, f"The customer {asked} was deleted in Stripe.")
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.CREATE_SUBSCRIPTION, customer_id=customer_id)


async def _customer(operating: Operating) -> tuple[str | None, Operating]:
    asked, stripe = operating.data["asked"], operating.means.stripe
    if asked["customer_id"] is not None:
        look = await stripe.read_customer(asked["customer_id"])
        return (None if look.deleted else look.id), operating
    if operating.key_is_doubtful:
        since = operating.operation.created_at - _EARLIER
        found = await stripe.find_customer_by_op(operating.id, since, asked["email"])
        if found is not None:
            return found, operating
        operating = await operating.with_next_key()
    created = await stripe.create_customer(
        asked["email"],
        asked["name"],
        asked["customer_metadata"],
        operating.id,
        operating.key,
        address=asked.get("address"),
        ip=asked.get("ip_address"),
    )
    return created, operating


async def create_subscription(operating: Operating) -> Operating | None:
    """The `send_invoice` subscription; its first invoice gets its payment in the same commit."""
    try:
        subscription, operating = await _subscription(operating)
    except StripeRefused as refused:
        await _fail(operating, str(refused), code=refused.code)
        return None
    if subscription.first_invoice is None:
        await _fail(operating, f"Stripe made no first invoice for {subscription.id}.")
        return None
    async with operating.means.database.begin() as db:
        return await _open_checkout(db, operating, subscription, subscription.first_invoice)


async def _subscription(operating: Operating) -> tuple[SubscriptionLook, Operating]:
    asked, stripe = operating.data["asked"], operating.means.stripe
    customer_id = operating.data["customer_id"]
    if operating.key_is_doubtful:
        found = await stripe.find_subscription_by_op(customer_id, operating.id)
        if found is not None:
            return found, operating
        operating = await operating.with_next_key()
    created = await stripe.create_subscription(
        customer_id,
        [(price, quantity) for price, quantity in asked["items"]],
        asked["days_until_due"],
        asked["metadata"],
        operating.id,
        operating.key,
        trial_period_days=asked["trial_period_days"],
        trial_end=asked.get("trial_end"),
        automatic_tax=asked["automatic_tax"],
    )
    return created, operating


async def _open_checkout(
    db: AsyncConnection, operating: Operating, subscription: SubscriptionLook, invoice: InvoiceLook
) -> Operating:
    """Nothing can be charged on this invoice before the customer has agreed: its limit is 0."""
    scope, asked = operating.scope, operating.data["asked"]
    customer_id = operating.data["customer_id"]
    await mirror.add_customer(db, scope, customer_id)
    await _mirror(db, operating, customer_id, subscription, invoice)
    payment = _held(operating, customer_id, invoice)
    await payments.add(db, scope, payment, asked["processor"], operating.now)
    new = NewCheckout(
        id=ids.new_id("chk"),
        operation_id=operating.id,
        purpose=Purpose.SIGNUP,
        customer_id=customer_id,
        currency=invoice.currency,
        description=asked["description"] or "Your subscription",
        success_url=asked["success_url"],
        cancel_url=asked["cancel_url"],
        processor=asked["processor"],
        expires_after=operating.means.checkout_expires_after,
        shown_minor=invoice.amount_remaining_minor,
        subscription_id=subscription.id,
        invoice_id=invoice.invoice_id,
        payment_id=payment.id,
    )
    await checkouts.add(db, scope, new)
    return await operating.moved(
        db, Step.CHECKOUT, subscription_id=subscription.id, checkout_id=new.id
    )


async def _mirror(
    db: AsyncConnection,
    operating: Operating,
    customer_id: str,
    subscription: SubscriptionLook,
    invoice: InvoiceLook,
) -> None:
    await mirror.saw_subscription(
        db,
        operating.scope,
        subscription_id=subscription.id,
        customer_id=customer_id,
        status=subscription.status,
        collection_method=subscription.collection_method or "send_invoice",
        by=Told(operating.id),
    )
    seen = {
        "invoice_id": invoice.invoice_id,
        "customer_id": customer_id,
        "subscription_id": subscription.id,
        "number": None,
        "status": invoice.status.value,
        "collection_method": invoice.collection_method,
        "billing_reason": "subscription_create",
        "currency": invoice.currency,
        "amount_due_minor": invoice.amount_due_minor,
        "amount_paid_minor": invoice.amount_paid_minor,
        "amount_remaining_minor": invoice.amount_remaining_minor,
        "due_at": invoice.due_at,
    }
    await mirror.saw_invoice(db, operating.scope, seen)


def _held(operating: Operating, customer_id: str, invoice: InvoiceLook) -> Payment:
    return Payment(
        id=ids.payment_id(operating.scope, invoice.invoice_id),
        invoice_id=invoice.invoice_id,
        customer_id=customer_id,
        currency=invoice.currency,
        state=State.WAITING,
        reason=Reason.CHECKOUT,
        next_look_at=operating.now + operating.means.checkout_expires_after,
        due_at=invoice.due_at,
        limit_minor=0,
    )


async def collect(operating: Operating) -> Operating | None:
    """Wait for the first invoice to be paid, and let the customer try again where that helps."""
    async with operating.means.database.connect() as db:
        its = await checkouts.of_operation(db, operating.scope, operating.id)
        assert its is not None, "opened before anything is collected"
        payment = await payments.read(db, operating.scope, str(its.payment_id))
        gone = await subscriptions.has_ended(db, operating.scope, str(its.subscription_id))
    over = gone and payment.ended
    match rules.access(payment):
        case Access.GRANTED:
            await access.grant(operating, its)
            return None
        case Access.LOST:
            await _fail(operating, f"The first invoice was closed: {payment.reason}.")
            return None
        case Access.WAITING if over:
            await _fail(operating, "The subscription has ended, and nothing was paid for it.")
            return None
        case Access.WAITING:
            return await checkout.help_to_pay(operating, its, payment)


async def _fail(operating: Operating, why: str, *, code: str | None = None) -> None:
    """Nothing that a person of ours could mend: the caller is told why."""
    async with operating.means.database.begin() as db:
        its = await checkouts.of_operation(db, operating.scope, operating.id)
        await operating.end(db, Step.FAILED, failed_why=why, failed_code=code)
        if its is not None and operating.means.tells_app:
            told = access.told(operating, its, rules.SignupState.FAILED)
            await outgoing.add(db, operating.scope, "signup.failed", operating.id, told)


STEPS: Mapping[str, Walk] = {
    Step.CREATE_CUSTOMER: create_customer,
    Step.CREATE_SUBSCRIPTION: create_subscription,
    Step.CHECKOUT: checkout.await_customer,
    Step.WRITE_METHOD: checkout.write_method,
    Step.FINALIZE: checkout.finalize,
    Step.COLLECT: collect,
    Step.DROP_SETUP: cleaning.drop_setup,
    Step.VOID: cleaning.void,
    Step.CANCEL: cleaning.cancel,
}
