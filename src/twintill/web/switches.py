"""/v1/subscriptions/{subscription}/switch, /v1/switches: changing who collects a subscription."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from twintill.domain.switching import CHOICES, KIND, OpenInvoices, Step, SwitchState, To, state_of
from twintill.errors import BadRequest, NotFoundError
from twintill.flows import operations as flow
from twintill.flows import switches
from twintill.flows.means import Means
from twintill.flows.switches import SwitchRequest
from twintill.flows.switching import page_id
from twintill.ids import Scope
from twintill.store import checkouts, operations
from twintill.store.operations import Operation
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds
from twintill.web.shapes import Seconds
from twintill.web.signup_shapes import Asked, StripeId, Url

router = api_router("switches")


class SwitchParams(Asked):
    """`POST /v1/subscriptions/{subscription}/switch`."""

    to: Literal["stripe", "processor"] = Field(description="Who is to collect it from now on.")
    payment_method: StripeId | None = Field(
        None,
        description="To stripe: the customer's payment method there. To processor: one of the "
        "customer's payment methods here; without it, the customer is sent to a page (`page.url`) "
        "to choose one.",
    )
    open_invoices: Literal["finish", "charge_at_stripe", "void", "leave", "reinvoice"] | None = (
        Field(
            None,
            description="To stripe: `finish` (default: collected here to their end), "
            "`charge_at_stripe` or `void`. To processor: `leave` (default: Stripe goes on with "
            "them) or `reinvoice` (voided, and asked for again by one that is collected here).",
        )
    )
    days_until_due: Annotated[int, Field(ge=1, le=365)] = Field(
        30, description="To processor: when Stripe counts its invoices as overdue."
    )
    processor: Annotated[str | None, Field(max_length=40)] = Field(
        None, description="To processor, without a payment method: where one is to be chosen."
    )
    return_url: Url | None = Field(
        None, description="To processor, without a payment method: where the customer goes then."
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"to": "stripe", "payment_method": "pm_1Nv", "open_invoices": "finish"},
                {"to": "processor", "payment_method": "pm_9b1c", "days_until_due": 30},
            ]
        },
    )


class SwitchedInvoiceShape(BaseModel):
    """What became of one draft or open invoice."""

    invoice: str
    was: str = Field(description="draft or open")
    did: str | None = Field(
        description="changed, with_us, charged_at_stripe, voided, came_back, not_ours, "
        "left_to_stripe, reinvoiced, closed; null: it is its turn, or still to come"
    )
    replaced_by: str | None = Field(description="The invoice that asks for it again.")
    why: str | None = Field(description="Why it could not be done as asked.")


class SwitchPageShape(BaseModel):
    url: str = Field(description="Send the customer here to choose a payment method.")
    state: str


class SwitchShape(BaseModel):
    """A switch of one subscription, asked for here or seen in Stripe's Dashboard."""

    id: str
    object: Literal["switch"] = "switch"
    livemode: bool
    created: Seconds
    state: SwitchState
    step: str = Field(description="Where it stands; for people.")
    to: To
    subscription: str
    customer: str
    open_invoices: OpenInvoices
    payment_method: str | None
    seen_in_stripe: bool = Field(description="Made in Stripe's Dashboard, and followed here.")
    invoices: list[SwitchedInvoiceShape]
    waits_for: str | None = Field(description="The invoice that it waits for.")
    page: SwitchPageShape | None
    failure: str | None = Field(description="Why it failed, or what needs a person.")
    ended_at: Seconds | None

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "swi_4Yk9n2",
                "object": "switch",
                "livemode": False,
                "created": 1795000000,
                "state": "done",
                "step": "done",
                "to": "stripe",
                "subscription": "sub_1Pro",
                "customer": "cus_Nffrf",
                "open_invoices": "finish",
                "payment_method": "pm_1Nv",
                "seen_in_stripe": False,
                "invoices": [
                    {
                        "invoice": "in_1Open",
                        "was": "open",
                        "did": "with_us",
                        "replaced_by": None,
                        "why": None,
                    }
                ],
                "waits_for": None,
                "page": None,
                "failure": None,
                "ended_at": 1795000003,
            }
        }
    )


@router.post(
    "/v1/subscriptions/{subscription}/switch",
    status_code=201,
    summary="Change who collects a subscription",
)
async def create(
    subscription: str, params: SwitchParams, doors: TheDoors, caller: Collector
) -> SwitchShape:
    """From here to Stripe, from Stripe to here, or from one processor to another.

    At no moment can both sides charge an invoice: each says itself who collects it, and an open
    one changes sides only while no charge of it is out. It survives crashes and goes on by
    itself: `GET /v1/switches/{id}`, or the event `subscription.switched`.

    Refused (409): `switch_running`, `already_there`, `subscription_ended`,
    `subscription_incomplete`, `signup_unfinished`, `payment_method_dead`; (400):
    `payment_method_not_the_customers`, `processor_unknown`. Then nothing was changed.
    """
    means = doors.means
    switch_id = caller.new_id("swi")
    await switches.begin(means, caller.scope, switch_id, _request(subscription, params))
    await flow.drive(means, caller.scope, switch_id, patience_s=20)
    doors.waker.ring()
    return await _show(means, caller.scope, await _read(means, caller.scope, switch_id))


@router.get("/v1/switches", summary="List switches")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    customer: Annotated[str | None, only("Of this customer.")] = None,
) -> ListShape[SwitchShape]:
    """Newest first."""
    async with means.database.connect() as db:
        found, more = await operations.page(db, caller.scope, KIND, page, customer)
    shown = [await _show(means, caller.scope, one) for one in found]
    return as_list(request, shown, has_more=more)


@router.get("/v1/switches/{switch}", summary="One switch")
async def get_one(switch: str, means: TheMeans, caller: Reader) -> SwitchShape:
    """Where it stands, and what became of each invoice."""
    return await _show(means, caller.scope, await _read(means, caller.scope, switch))


def _request(subscription_id: str, params: SwitchParams) -> SwitchRequest:
    to = To(params.to)
    choice = OpenInvoices(params.open_invoices) if params.open_invoices else CHOICES[to][0]
    page = params.processor is not None or params.return_url is not None
    if page and (to is To.STRIPE or params.payment_method is not None):
        raise BadRequest(
            "processor and return_url are for the page where a payment method is chosen: leave "
            "them out, or payment_method.",
            param="processor",
        )
    return SwitchRequest(
        subscription_id=subscription_id,
        to=to,
        open_invoices=choice,
        payment_method_id=params.payment_method,
        days_until_due=params.days_until_due,
        processor=params.processor,
        return_url=params.return_url,
    )


async def _read(means: Means, scope: Scope, switch_id: str) -> Operation:
    async with means.database.connect() as db:
        operation = await operations.read(db, scope, switch_id)
    if operation.kind != KIND:
        raise NotFoundError(f"No such switch: {switch_id}", param="switch")
    return operation


async def _show(means: Means, scope: Scope, operation: Operation) -> SwitchShape:
    data: Any = operation.data
    asked, step = data["asked"], Step(operation.step)
    state = state_of(step, parked=operation.parked_why is not None)
    waits = state is SwitchState.WAITING and step is not Step.METHOD
    return SwitchShape(
        id=operation.id,
        livemode=scope.livemode,
        created=seconds(operation.created_at) or 0,
        state=state,
        step=step.value,
        to=To(asked["to"]),
        subscription=data["subscription_id"],
        customer=str(operation.customer_id),
        open_invoices=OpenInvoices(asked["open_invoices"]),
        payment_method=data.get("payment_method_id") or asked.get("payment_method_id"),
        seen_in_stripe=asked.get("seen", False),
        invoices=[_invoice(*one) for one in sorted(data["invoices"].items())],
        waits_for=data.get("at") if waits else None,
        page=await _page(means, scope, operation),
        failure=data.get("failed_why") or operation.parked_why,
        ended_at=seconds(operation.ended_at),
    )


def _invoice(invoice_id: str, entry: dict[str, Any]) -> SwitchedInvoiceShape:
    return SwitchedInvoiceShape(
        invoice=invoice_id,
        was=entry["status"],
        did=entry.get("did"),
        replaced_by=entry.get("by"),
        why=entry.get("why") or entry.get("refused"),
    )


async def _page(means: Means, scope: Scope, operation: Operation) -> SwitchPageShape | None:
    async with means.database.connect() as db:
        its = await checkouts.of_operation(db, scope, page_id(scope, operation.id))
    if its is None:
        return None
    return SwitchPageShape(url=f"{means.public_url}/checkout/{its.id}", state=its.state.value)
