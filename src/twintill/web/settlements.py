"""Settlement: what the processors' own reports say moved our balances there, and was paid out."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from twintill.domain.settlement import SettlementKind, Whose
from twintill.flows import settle
from twintill.store.settlement_pages import (
    Clearing,
    LineState,
    Payout,
    Wanted,
    list_lines,
    list_payouts,
    read_clearing,
    read_line,
    read_payout,
)
from twintill.web import examples
from twintill.web.api import Admin, Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, only, seconds
from twintill.web.shapes import Minor, Seconds
from twintill.web.signup_shapes import Asked

router = api_router("settlements")


class ShownNow(BaseModel):
    """What the report shows of a line that has changed."""

    model_config = examples.SHOWN_NOW
    kind: SettlementKind
    amount: Minor
    fee: Minor | None
    currency: str


class SettlementShape(BaseModel):
    """A movement of our balance at a processor, as its own report shows it."""

    model_config = examples.SETTLEMENT
    id: str
    object: Literal["settlement"] = "settlement"
    livemode: bool
    processor: str
    processor_account: str
    line: str = Field(description="The processor's own name for it.")
    kind: SettlementKind
    raw_type: str = Field(description="The processor's own word for the kind.")
    amount: Minor = Field(description="Before the fee; above zero it is ours.")
    fee: Minor | None = Field(description="What the processor kept; below zero: gave back.")
    currency: str
    whose: Whose = Field(
        description="`ours`: of a charge of ours; `foreign`: of somebody else's; `account`: of none"
    )
    payment: str | None
    attempt: str | None = Field(description="The charge, or the refund, that it is.")
    dispute: str | None
    processor_payment: str | None
    payout: str | None = Field(description="The processor's name for the payout it went out with.")
    not_booked: str | None = Field(description="Why it is not in the ledger, in a sentence.")
    changed: ShownNow | None = Field(description="What is shown now, if a person must look at it.")
    created: Seconds
    read_at: Seconds


class PayoutShape(BaseModel):
    """What a processor sent to our bank account, and what it is made of."""

    model_config = examples.PAYOUT
    id: str
    object: Literal["payout"] = "payout"
    livemode: bool
    processor: str
    processor_account: str
    payout: str | None = Field(description="The processor's own name for it.")
    amount: Minor = Field(description="Above zero: to us; below: it came back to the processor.")
    fee: Minor
    currency: str
    lines: int = Field(description="How many there are; 0: this processor does not say which.")
    lines_amount: Minor = Field(description="What they add up to.")
    adds_up: bool | None = Field(description="Whether that is what was paid out.")
    by_kind: dict[str, int] = Field(description="The same by kind, fees by themselves.")
    created: Seconds


class ClearingShape(BaseModel):
    """What a processor owes us: clearing = payments + fees + payouts + held + suspense."""

    model_config = examples.CLEARING
    object: Literal["clearing"] = "clearing"
    processor_account: str
    currency: str
    clearing: Minor
    payments: Minor = Field(description="Charges, less refunds, disputes and what those cost.")
    fees: Minor
    payouts: Minor
    held: Minor = Field(description="In the processor's reserve, or back from it.")
    suspense: Minor = Field(description="Of charges that are not Twintill's, or of unknown kind.")
    not_shown: Minor = Field(description="Of the payments: what no report has shown yet.")
    not_booked: Minor = Field(description="Shown and not in clearing; each line says why.")


class ClearingsShape(BaseModel):
    """One for each processor account and currency."""

    object: Literal["list"] = "list"
    data: list[ClearingShape]


class AcceptParams(Asked):
    """Kept with the line."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"why": "they corrected the fee"}]}
    )
    why: Annotated[str, Field(min_length=1, max_length=500, description="Kept with the line.")]


def wanted_of(
    payment: Annotated[str | None, only("Of this payment.")] = None,
    payout: Annotated[str | None, only("Of this payout, by the processor's name.")] = None,
    processor_account: Annotated[str | None, only("Of this processor account.")] = None,
    kind: Annotated[SettlementKind | None, Query(description="Of this kind.")] = None,
    whose: Annotated[Whose | None, Query(description="Ours, foreign, or the account's.")] = None,
    state: Annotated[LineState | None, Query(description="Booked, not booked, changed.")] = None,
) -> Wanted:
    """A dependency: which lines."""
    return Wanted(payment, payout, processor_account, kind, whose, state)


TheWanted = Annotated[Wanted, Depends(wanted_of)]


@router.get("/v1/settlements", summary="List settlement lines")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    created: CreatedRange,
    wanted: TheWanted,
) -> ListShape[SettlementShape]:
    """The latest first; `created` is when it happened there. A duty reads them once a day."""
    async with means.database.connect() as db:
        rows, has_more = await list_lines(db, caller.scope, page, wanted, created)
    return as_list(request, [_line(row) for row in rows], has_more=has_more)


@router.get("/v1/settlements/{settlement}", summary="One settlement line")
async def get_one(settlement: str, means: TheMeans, caller: Reader) -> SettlementShape:
    """As it was first shown; what is shown now, where that differs, is `changed`."""
    async with means.database.connect() as db:
        return _line(await read_line(db, caller.scope, settlement))


@router.post("/v1/settlements/{settlement}/accept", summary="Take over a line that changed")
async def accept(
    settlement: str, params: AcceptParams, means: TheMeans, caller: Admin
) -> SettlementShape:
    """A person has looked: what the report shows now is right, and the difference is posted.

    Refused (409, `settlement_unchanged`) for a line that is shown as it was booked.
    """
    async with means.database.begin() as db:
        await settle.accept(db, caller.scope, settlement, caller.actor, params.why)
        return _line(await read_line(db, caller.scope, settlement))


@router.get("/v1/payouts", summary="List payouts")
async def list_paid_out(
    request: Request, means: TheMeans, caller: Reader, page: ThePage, created: CreatedRange
) -> ListShape[PayoutShape]:
    """The latest first; also those that the bank sent back."""
    async with means.database.connect() as db:
        rows, has_more = await list_payouts(db, caller.scope, page, created)
    return as_list(request, [_payout(row) for row in rows], has_more=has_more)


@router.get("/v1/payouts/{payout}", summary="One payout")
async def get_payout(payout: str, means: TheMeans, caller: Reader) -> PayoutShape:
    """By its id here or the processor's; its lines: `GET /v1/settlements?payout=`."""
    async with means.database.connect() as db:
        return _payout(await read_payout(db, caller.scope, payout))


@router.get("/v1/clearing", summary="What each processor owes us, and why")
async def get_clearing(means: TheMeans, caller: Reader) -> ClearingsShape:
    """By the ledger; the parts add up to it, to the cent."""
    async with means.database.connect() as db:
        return ClearingsShape(data=[_clearing(c) for c in await read_clearing(db, caller.scope)])


def _line(row: Any) -> SettlementShape:
    return SettlementShape(
        id=row.settlement_line_id,
        livemode=row.livemode,
        processor=row.processor,
        processor_account=row.processor_account_id,
        line=row.line_id,
        kind=row.kind,
        raw_type=row.raw_type,
        amount=row.amount_minor,
        fee=row.fee_minor,
        currency=row.currency.lower(),
        whose=row.whose,
        payment=row.payment_id,
        attempt=row.refund_id or row.attempt_id,
        dispute=row.dispute_id,
        processor_payment=row.processor_payment_id,
        payout=row.payout_id,
        not_booked=row.not_booked,
        changed=None if row.changed is None else _shown_now(row.changed),
        created=seconds(row.occurred_at) or 0,
        read_at=seconds(row.created_at) or 0,
    )


def _shown_now(changed: Any) -> ShownNow:
    return ShownNow(
        kind=changed["kind"],
        amount=changed["amount_minor"],
        fee=changed["fee_minor"],
        currency=changed["currency"].lower(),
    )


def _payout(its: Payout) -> PayoutShape:
    row = its.row
    fee_minor = row.fee_minor or 0
    known = its.lines > 0 and row.kind == SettlementKind.PAYOUT
    return PayoutShape(
        id=row.settlement_line_id,
        livemode=row.livemode,
        processor=row.processor,
        processor_account=row.processor_account_id,
        payout=row.payout_id,
        amount=-row.amount_minor,
        fee=fee_minor,
        currency=row.currency.lower(),
        lines=its.lines,
        lines_amount=its.minor,
        adds_up=its.minor == fee_minor - row.amount_minor if known else None,
        by_kind=its.by_kind,
        created=seconds(row.occurred_at) or 0,
    )


def _clearing(its: Clearing) -> ClearingShape:
    return ClearingShape(
        processor_account=its.processor_account_id,
        currency=its.currency.lower(),
        clearing=its.clearing_minor,
        payments=its.payments_minor,
        fees=its.fees_minor,
        payouts=its.payouts_minor,
        held=its.held_minor,
        suspense=its.suspense_minor,
        not_shown=its.not_shown_minor,
        not_booked=its.not_booked_minor,
    )
