"""Rules for drafts, and drafts that wait: what is asked with, and what is answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from twintill.domain.drafting import LINES_MAX, TIMEOUT_MAX_S, Item
from twintill.web.examples import shown
from twintill.web.shapes import Minor, Seconds
from twintill.web.signup_shapes import Asked, StripeId, Text

_RULE = "drl_4Yk9n2bT7xQz1LmN8vRc3WpD"
_LARGEST = 99_999_999_999
_Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]
_Amount = Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]
_Why = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
_Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
_Then = Literal["proceed", "hold", "finalize", "ask"]
_Default = Literal["proceed", "hold", "finalize"]
_HookTime = Annotated[int, Field(ge=1, le=TIMEOUT_MAX_S)]
_Place = Annotated[int, Field(ge=0, le=1_000_000)]


class ItemParams(Asked):
    """An `amount` with its `currency`, or a `price` and how many of it."""

    description: Text | None = Field(None, description="Printed on the invoice.")
    amount: _Amount | None = Field(None, description="Minor units; below zero it is a credit.")
    currency: _Currency | None = Field(None, description="The invoice's.")
    price: StripeId | None = Field(None, description="A price of Stripe's, in its currency.")
    quantity: Annotated[int, Field(ge=1, le=999_999)] | None = Field(
        None, description="Of the price; 1 where it is not said."
    )

    model_config = shown(description="Setup", amount=500, currency="eur")

    def read(self) -> Item:
        upper = None if self.currency is None else self.currency.upper()
        return Item(self.description, self.amount, upper, self.price, self.quantity)


_Items = Annotated[list[ItemParams], Field(max_length=LINES_MAX)]


class RuleChanges(Asked):
    """What is not named stays as it is; a condition that is `null` is any."""

    customer: StripeId | None = Field(None, description="Only of this one; else of all.")
    place: _Place = Field(0, description="The first that matches decides, in this order.")
    enabled: bool = Field(True, description="False: it judges nothing.")
    min_amount: _Amount | None = Field(None, description="Only drafts of this total or more.")
    max_amount: _Amount | None = Field(None, description="Only drafts of this total or less.")
    currency: _Currency | None = Field(None, description="Of the drafts; needed with amounts.")
    billing_reason: Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z_]+$")] | (
        None
    ) = Field(None, description="Stripe's word, such as subscription_cycle or manual.")
    then: _Then = Field(
        "hold",
        description="`proceed`: Stripe finalizes it in its time; `hold`: it waits for a review; "
        "`finalize`: at once; `ask`: your hook says.",
    )
    add_items: _Items = Field([], description="Added first, all of them or none.")
    why: Text | None = Field(None, description="Shown to whoever reviews it.")
    needs_approval: bool = Field(
        True, description="Whether a held one is released only after a second person approved it."
    )
    hook_url: _Url | None = Field(
        None, description="With `ask`: must begin with https:// and lead to the public Internet."
    )
    hook_timeout_s: _HookTime = Field(5, description="So long its answer is waited for.")
    default: _Default = Field(
        "proceed",
        description="When it cannot be done as it says: no answer, or one that cannot be done.",
    )

    model_config = shown(min_amount=500000, currency="eur", why="more than 5,000 EUR")


class RuleParams(RuleChanges):
    """`POST /v1/draft_rules`."""

    model_config = shown(
        place=10,
        min_amount=500000,
        currency="eur",
        then="ask",
        hook_url="https://app.example.com/drafts",
        default="hold",
    )


class RuleShape(BaseModel):
    """A rule for drafts."""

    id: str
    object: Literal["draft_rule"] = "draft_rule"
    livemode: bool
    version: int = Field(description="Counted up by each change; a review names it.")
    customer: str | None
    place: int
    enabled: bool
    min_amount: Minor | None
    max_amount: Minor | None
    currency: str | None
    billing_reason: str | None
    then: _Then
    add_items: list[ItemParams]
    why: str | None
    needs_approval: bool
    hook_url: str | None
    hook_timeout_s: int | None
    default: _Default
    secret: str | None = Field(
        description="Signs what the hook is asked. Shown once: in the answer that makes it."
    )
    made_by: str
    changed_by: str
    changed: Seconds
    created: Seconds

    model_config = shown(
        id=_RULE,
        livemode=False,
        version=1,
        customer=None,
        place=10,
        enabled=True,
        min_amount=500000,
        max_amount=None,
        currency="eur",
        billing_reason=None,
        then="ask",
        why=None,
        needs_approval=True,
        hook_url="https://app.example.com/drafts",
        hook_timeout_s=5,
        default="hold",
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # noqa: S106 -- everybody knows it
        made_by="api:ada",
        changed_by="api:ada",
        changed=1795252800,
        created=1795252800,
    )


class RemovedRuleShape(BaseModel):
    """It judges nothing more."""

    id: str
    object: Literal["draft_rule"] = "draft_rule"
    deleted: Literal[True] = True

    model_config = shown(id=_RULE)


class JudgedShape(BaseModel):
    """What would become of an invoice now; nothing was done, and no hook asked."""

    object: Literal["judged_draft"] = "judged_draft"
    invoice: str
    total: Minor
    currency: str
    rule: str | None = Field(description="The first that matches it; null: none does.")
    then: _Then | None
    untouched: str | None = Field(description="Why no rule would touch it; null: one would.")

    model_config = shown(
        invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
        total=612000,
        currency="eur",
        rule=_RULE,
        then="ask",
        untouched=None,
    )


class WhyParams(Asked):
    """Kept with who did it."""

    why: _Why | None = Field(None, description="For whoever reads the invoice's story.")

    model_config = shown(why="the customer has confirmed it")


class HoldParams(Asked):
    """`POST /v1/invoices/{invoice}/hold`."""

    why: _Why = Field(description="What somebody has to look at.")

    model_config = shown(why="the quantity looks wrong")


class ItemsParams(WhyParams):
    """`POST /v1/invoice_reviews/{review}/items`: all of it, or nothing."""

    add: _Items = Field([], description="Lines to add.")
    remove: Annotated[list[StripeId], Field(max_length=LINES_MAX)] = Field(
        [], description="Invoice items (ii_...) to take off; what a subscription bills is none."
    )

    model_config = shown(remove=["ii_1PgafmB7WZ01zgkWcn5Zr0ZI"], why="billed twice")


class ReviewShape(BaseModel):
    """A draft that waits, or waited, for a review."""

    id: str
    object: Literal["invoice_review"] = "invoice_review"
    livemode: bool
    invoice: str
    customer: str
    subscription: str | None
    currency: str
    total: Minor = Field(description="As last seen; after an approval, what was approved.")
    state: str = Field(
        description="held or approved: it waits; released, voided, deleted, "
        "finalized_elsewhere, voided_elsewhere or released_elsewhere (in Stripe): it does not."
    )
    why: str | None
    held_by: str = Field(
        description="`rule:...`, `hook:...`, `person:...`, `api:...`, or `stripe`."
    )
    held_at: Seconds
    rule: str | None
    rule_version: int | None
    needs_approval: bool
    doing: str | None = Field(description="The operation that does something with it just now.")
    changed_by: str | None
    changed_at: Seconds | None
    approved_by: str | None
    approved_at: Seconds | None
    ended_by: str | None
    ended_at: Seconds | None
    period_ends_at: Seconds | None = Field(
        description="When the subscription's next invoice comes on top of it, once that is known."
    )
    announced: int = Field(description="How often the app was told that it waits.")
    created: Seconds

    model_config = shown(
        id="rev_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
        livemode=False,
        invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
        customer="cus_QXg1o8vcGmoR32",
        subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
        currency="eur",
        total=612000,
        state="approved",
        why="more than 5,000 EUR",
        held_by=f"rule:{_RULE}",
        held_at=1795252800,
        rule=_RULE,
        rule_version=1,
        needs_approval=True,
        doing=None,
        changed_by=None,
        changed_at=None,
        approved_by="api:grace",
        approved_at=1795256400,
        ended_by=None,
        ended_at=None,
        period_ends_at=1797844800,
        announced=0,
        created=1795252800,
    )
