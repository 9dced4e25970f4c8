"""/v1/customers/{customer}/policy: what one customer has otherwise than the account."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from twintill.domain.overrides import overlay, shown
from twintill.flows import customer_policy as flow
from twintill.store import customer_pages as pages
from twintill.web import examples
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.signup_shapes import Asked

router = api_router("customers")
_POLICY = "/v1/customers/{customer}/policy"
_Duration = Annotated[
    str,
    StringConstraints(max_length=40),
    Field(description="ISO 8601, days and smaller.", examples=["P3D", "PT12H"]),
]


class PolicyParams(Asked):
    """All that is to be otherwise; what is not named is as the account has it."""

    retry_pauses: list[_Duration] | None = Field(
        None,
        max_length=100,
        description="The pauses before the second, third, ... try with one method: a day or more "
        "each, at most 14.",
    )
    retry_span: _Duration | None = Field(
        None, description="No try later than this after the first."
    )
    retry_gap_min: _Duration | None = Field(None, description="A day or more.")
    due_margin: _Duration | None = Field(
        None, description="How long before the due date the last try must be."
    )
    exhausted: str | None = Field(
        None,
        max_length=40,
        description="When all tries are used up: leave_open, mark_uncollectible or "
        "cancel_subscription.",
    )
    refund_stranded: bool | None = Field(
        None, description="Give money back by itself that Stripe will not take."
    )
    failed_after_report: str | None = Field(
        None,
        max_length=40,
        description="When a debit fails after its report: replace (credit note, then a new "
        "invoice) or person.",
    )
    report_when: str | None = Field(
        None,
        max_length=40,
        description="When Stripe is told of a bank debit: confirmed, or final (paid out; at the "
        "latest when the invoice is nearly due).",
    )
    lost_dispute: str | None = Field(
        None, max_length=40, description="When a dispute is lost: credit_note or loss."
    )
    dispute_opened: str | None = Field(
        None,
        max_length=40,
        description="The subscription, when its payment is disputed: nothing, "
        "cancel_at_period_end or cancel_now.",
    )
    dispute_lost: str | None = Field(
        None, max_length=40, description="The same, when the dispute is lost."
    )
    open_invoices_at_end: str | None = Field(
        None,
        max_length=40,
        description="What a subscription leaves open when it ends: collect, void or "
        "mark_uncollectible.",
    )
    revoked: str | None = Field(
        None,
        max_length=40,
        description="When the last usable payment method was withdrawn: ask_customer, "
        "cancel_at_period_end or cancel_now.",
    )
    revoked_ask_for: _Duration | None = Field(
        None, description="How long the customer is asked for another payment method."
    )
    revoked_unanswered: str | None = Field(
        None, max_length=40, description="And then: cancel_at_period_end or nothing."
    )
    partial: str | None = Field(
        None, max_length=40, description="When less is paid than is due: split or person."
    )
    first_payment_failed: str | None = Field(
        None, max_length=40, description="When the first payment fails for good: cancel or leave."
    )
    first_payment_grace: _Duration | None = Field(
        None, description="Time for another payment method before that."
    )

    model_config = examples.shown(due_margin="P2D", exhausted="leave_open")


class CustomerPolicyShape(BaseModel):
    """What holds for a customer, and what of it is his own."""

    object: Literal["customer_policy"] = "customer_policy"
    customer: str
    livemode: bool
    overrides: dict[str, Any] = Field(description="What differs from the account's policy.")
    policy: dict[str, Any] = Field(description="What holds.")

    model_config = examples.shown(
        customer="cus_QXg1o8vcGmoR32",
        livemode=False,
        overrides={"due_margin": "P2D"},
        policy={
            "retry_pauses": ["P1D", "P3D", "P5D"],
            "due_margin": "P2D",
            "exhausted": "leave_open",
        },
    )


@router.get(_POLICY, summary="A customer's dunning policy")
async def get_one(customer: str, means: TheMeans, caller: Reader) -> CustomerPolicyShape:
    """The account's setting, with what this customer has otherwise."""
    async with means.database.connect() as db:
        row = await pages.read_customer(db, caller.scope, customer)
    overrides = row.policy or {}
    return CustomerPolicyShape(
        customer=customer,
        livemode=row.livemode,
        overrides=overrides,
        policy=shown(overlay(means.policy, overrides)),
    )


@router.put(_POLICY, summary="Give a customer a dunning policy of his own")
async def put_one(
    customer: str, params: PolicyParams, means: TheMeans, caller: Collector
) -> CustomerPolicyShape:
    """Replaces all that the customer has otherwise; `{}`: as the account. Safe to repeat.

    Holds from the next decision on: a retry that is scheduled keeps its time. What a rule forbids
    is refused (400, `policy_refused`) with the field and the rule.
    """
    overrides = params.model_dump(exclude_none=True)
    async with means.database.begin() as db:
        policy = await flow.change(db, caller.scope, means.policy, customer, overrides)
    return CustomerPolicyShape(
        customer=customer,
        livemode=caller.scope.livemode,
        overrides=overrides,
        policy=shown(policy),
    )
