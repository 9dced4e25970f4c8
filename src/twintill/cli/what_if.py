"""`twintill invoices preview` and `twintill subscriptions change`: first what if, then so be it."""

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.amounts import shown
from twintill.cli.invoices import app as invoices
from twintill.domain.changing import Prorations
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.previewing import Previewed
    from twintill.stripe_billing.preview import Change, ItemChange, Preview

_Price = Annotated[str | None, typer.Option(help="Of its one item: another price.")]
_Quantity = Annotated[int | None, typer.Option(min=0, help="Of its one item: how many.")]
_Item = Annotated[
    str | None, typer.Option(help="si_...: which one, where it has several; `new` adds one.")
]
_Coupon = Annotated[
    str | None, typer.Option(help="Instead of the discounts that there are; '' for none.")
]
_TrialEnd = Annotated[
    str | None, typer.Option(help="now, unix seconds, or a time such as 2026-12-24T09:00+01:00.")
]
_Behavior = Annotated[
    Prorations | None,
    typer.Option("--proration", help="What becomes of the paid rest of the period."),
]
_Date = Annotated[
    str | None,
    typer.Option("--proration-date", help="As if it were changed then: what a preview says."),
]


@invoices.command()
def preview(  # noqa: PLR0913 -- each is an option that people ask about
    subscription_id: Annotated[
        str | None, typer.Argument(help="sub_...; or --customer instead.")
    ] = None,
    *,
    customer: Annotated[
        str | None, typer.Option(help="cus_...: of a new subscription, or what comes next.")
    ] = None,
    price: _Price = None,
    quantity: _Quantity = None,
    item: _Item = None,
    coupon: _Coupon = None,
    trial_end: _TrialEnd = None,
    cancel_now: Annotated[bool, typer.Option("--cancel-now")] = False,
    cancel_at_period_end: Annotated[bool, typer.Option("--cancel-at-period-end")] = False,
    proration: _Behavior = None,
    proration_date: _Date = None,
) -> None:
    """Show the next invoice, as it is or as it would be; nothing is created.

    Then make the same change with the proration date that it prints, and exactly this is billed.

    Example: `twintill invoices preview sub_1Pgafm --price price_1Year --proration always_invoice`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import previewing
    from twintill.stripe_billing.preview import WhatIf

    if (subscription_id is None) == (customer is None):
        raise typer.BadParameter("name a subscription, or a --customer")
    if cancel_now and cancel_at_period_end:
        raise typer.BadParameter("--cancel-now, or --cancel-at-period-end")
    change, only = _change(item, price, quantity, coupon, trial_end, proration, proration_date)
    cancel = "now" if cancel_now else "period_end" if cancel_at_period_end else None
    what = WhatIf(change, subscription_id, customer, cancel)
    _show(ask_means(lambda means: previewing.preview(means, what, only)))


def change(
    subscription_id: Annotated[str, typer.Argument(help="sub_..., as Stripe calls it.")],
    *,
    price: _Price = None,
    quantity: _Quantity = None,
    item: _Item = None,
    coupon: _Coupon = None,
    trial_end: _TrialEnd = None,
    proration: _Behavior = None,
    proration_date: _Date = None,
) -> None:
    """Change what a subscription is of, its discount, or the end of its trial.

    What it bills at once is collected like any other invoice, when it is finalized.

    Example: `twintill subscriptions change sub_1Pgafm --quantity 5 --proration always_invoice`
    """
    from twintill.cli.asking import ask_means
    from twintill.domain.changing import Step, state_of
    from twintill.flows import changing
    from twintill.flows import operations as flow
    from twintill.flows.changing import ChangeRequest
    from twintill.flows.means import Means
    from twintill.ids import new_id
    from twintill.store import operations

    asked, only = _change(item, price, quantity, coupon, trial_end, proration, proration_date)
    request = ChangeRequest(subscription_id, asked, f"person:{getpass.getuser()}", only)
    operation_id = new_id("sch")

    async def make(means: Means) -> str:
        await changing.begin(means, means.scope, operation_id, request)
        await flow.drive(means, means.scope, operation_id)
        async with means.database.connect() as db:
            row = await operations.read(db, means.scope, operation_id)
        state = state_of(Step(row.step), parked=row.parked_why is not None)
        why = row.data.get("failed_why") or row.parked_why or row.error
        billed = row.data.get("invoice_id")
        told = f": {why}" if why else f", invoice {billed}" if billed else ""
        return f"{operation_id} ({subscription_id}): {state}{told}"

    print(ask_means(make))


def _change(
    item: str | None,
    price: str | None,
    quantity: int | None,
    coupon: str | None,
    trial_end: str | None,
    proration: Prorations | None,
    date: str | None,
) -> "tuple[Change, ItemChange | None]":
    """The change; and what is to become of the only item, where none is named."""
    from twintill.stripe_billing.preview import Change, ItemChange

    end = "now" if trial_end == "now" else _seconds(trial_end)
    given = ItemChange(None if item == "new" else item, price, quantity)
    named = item is not None
    asked = Change((given,) if named else (), coupon, end, proration, _seconds(date))
    return asked, None if named or (price is None and quantity is None) else given


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if text.isdecimal():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is not a time") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _show(previewed: "Previewed") -> None:
    from twintill.cli.tables import show as table

    its = previewed.preview
    rows = [
        (
            line.description or "",
            line.quantity or "",
            _days(line.period_start, line.period_end),
            Money(line.amount_minor, its.currency),
            Money(-line.discount_minor, its.currency) if line.discount_minor else "",
        )
        for line in its.lines
    ]
    table(("line", "quantity", "period", "amount", "discount"), rows)
    for name, amount in _sums(its):
        print(f"{name:>24}  {amount}")
    print(f"{'Stripe makes it':>24}  {its.created_at:%Y-%m-%d %H:%M} UTC")
    if its.finalized_at is not None and its.amount_due_minor:
        print(f"{'it is collected':>24}  {its.finalized_at:%Y-%m-%d %H:%M} UTC")
    print(f"To be billed exactly this, change it with --proration-date {previewed.proration_date}")


def _sums(its: "Preview") -> list[tuple[str, str]]:
    sums = [("subtotal", _money(its.subtotal_minor, its))]
    sums += [(f"coupon {coupon}", _money(-off, its)) for coupon, off in its.discounts]
    on_top = its.tax_minor - its.tax_included_minor
    sums += [("tax", _money(on_top, its))] if on_top else []
    sums += [("total", _money(its.total_minor, its))]
    if its.starting_balance_minor:
        sums += [("balance before", _money(its.starting_balance_minor, its))]
    sums += [("to be collected", _money(its.amount_due_minor, its))]
    if its.total_minor < 0:
        sums += [("becomes credit", _money(-its.total_minor, its))]
    return sums


def _money(amount_minor: int, its: "Preview") -> str:
    return shown(Money(amount_minor, its.currency))


def _days(start: datetime, end: datetime) -> str:
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
