"""What the list of invoices may be narrowed to: a dependency of query parameters."""

from dataclasses import replace
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Query

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import BadRequest
from twintill.store.invoice_pages import InvoiceFilter
from twintill.store.listing import Created
from twintill.web.pagination import CreatedRange, only

_LARGEST = 2**53
_ANY_ID = (
    "That this id is about: of a payment, an attempt, a receipt, a refund, a credit note, a "
    "dispute, a payment by hand, a checkout, an operation, a subscription, a customer; Stripe's "
    "or the processor's own; or our reference there."
)


def _time(name: str, words: str) -> Any:
    said = f"Only those due {words} then (Unix seconds)."
    return Query(alias=name, ge=0, lt=253_402_300_799, description=said)


def _amount(name: str, words: str) -> Any:
    said = f"The {words} that may be due, in minor units of `currency`."
    return Query(alias=name, ge=-_LARGEST, le=_LARGEST, description=said)


class AmountRange(NamedTuple):
    """What may be due, in minor units of `currency`; None: any."""

    currency: str | None
    least_minor: int | None
    most_minor: int | None


def whose_invoices(
    customer: Annotated[str | None, only("Of this customer.")] = None,
    subscription: Annotated[str | None, only("Of this subscription.")] = None,
    number: Annotated[str | None, only("With this number, whole, as it is printed.")] = None,
    id_of: Annotated[str | None, only(_ANY_ID)] = None,
) -> InvoiceFilter:
    """A dependency: by the ids that are known."""
    return InvoiceFilter(customer, subscription, number=number, id_of=id_of)


def due_range(
    gte: Annotated[int | None, _time("due_date[gte]", "at or after")] = None,
    lte: Annotated[int | None, _time("due_date[lte]", "at or before")] = None,
) -> Created:
    """A dependency: due_date[gte], due_date[lte]."""
    return Created(gte_s=gte, lte_s=lte)


def amount_range(
    currency: Annotated[
        str | None, Query(pattern="^[A-Za-z]{3}$", description="In this currency.")
    ] = None,
    gte: Annotated[int | None, _amount("amount_due[gte]", "least")] = None,
    lte: Annotated[int | None, _amount("amount_due[lte]", "most")] = None,
) -> AmountRange:
    """A dependency: currency, amount_due[gte], amount_due[lte]. Raises BadRequest."""
    if currency is None and (gte, lte) != (None, None):
        raise BadRequest("Amounts of one currency are compared: name it.", param="currency")
    return AmountRange(currency.upper() if currency else None, gte, lte)


def invoice_filter(
    whose: Annotated[InvoiceFilter, Depends(whose_invoices)],
    created: CreatedRange,
    due: Annotated[Created, Depends(due_range)],
    amount: Annotated[AmountRange, Depends(amount_range)],
    status: Annotated[InvoiceStatus | None, Query(description="As Stripe shows it.")] = None,
    overdue: Annotated[
        bool | None, Query(description="Whether it is open, and its due date has passed.")
    ] = None,
    parked: Annotated[
        bool | None, Query(description="Whether its payment waits for a person.")
    ] = None,
) -> InvoiceFilter:
    """A dependency: all of it."""
    ranges = {"created": created, "due": due, **amount._asdict()}
    return replace(whose, status=status, overdue=overdue, parked=parked, **ranges)
