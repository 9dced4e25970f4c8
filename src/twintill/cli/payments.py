"""`twintill payments`: one with all that is known of it, and those that need a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.amounts import shown
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.store.payment_pages import WholePayment

app = typer.Typer(no_args_is_help=True, help="Payments: what is known, and what needs a person.")
_UNRESOLVED = ("started", "accepted", "no_answer", "needs_customer")


@app.command()
def parked(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Payments that need a person, the longest waiting first, each with the reason.

    `twintill payments show pay_...` then tells all of one, and how to go on.
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.store import payment_pages

    rows = [
        (row.payment_id, row.invoice_id, row.state, row.parked_at, row.parked_why)
        for row in ask(lambda db, scope: payment_pages.list_parked(db, scope, limit))
    ]
    table(("payment id", "invoice id", "state", "since", "why"), rows)


@app.command()
def show(payment_id: Annotated[str, typer.Argument(help="pay_... or in_...")]) -> None:
    """All that is known of one payment: attempts, money, history, and the verbs to go on.

    Example: `twintill payments show pay_4c1e...`
    """
    from twintill import ids
    from twintill.cli.asking import ask
    from twintill.store import payment_pages

    whole = ask(
        lambda db, scope: payment_pages.read_whole(
            db,
            scope,
            ids.payment_id(scope, payment_id) if payment_id.startswith("in_") else payment_id,
        )
    )
    for line in (
        *_head(whole),
        *_attempts(whole),
        *_money(whole),
        *_history(whole),
        *_verbs(whole),
    ):
        print(line)


def _head(whole: "WholePayment") -> list[str]:
    row, amounts = whole.payment, whole.amounts
    state = f"{row.state} ({row.reason})" if row.reason else row.state
    lines = [
        f"{row.payment_id}  {state}",
        f"  invoice {row.invoice_id}, customer {row.customer_id}, due {_time(row.due_at)}",
        f"  collected {_money_of(amounts.collected_minor, row)}, {_where(amounts, row)}",
    ]
    if row.parked_at is not None:
        lines.append(f"  NEEDS A PERSON since {_time(row.parked_at)}: {row.parked_why}")
    elif row.ended_at is not None:
        lines.append(f"  ended {_time(row.ended_at)}")
    else:
        lines.append(f"  next look {_time(row.next_look_at)}")
    return lines


def _attempts(whole: "WholePayment") -> list[str]:
    lines = ["", "Attempts" if whole.attempts else "No attempts"]
    for row in whole.attempts:
        lines += [
            f"  {row.attempt_id}  {row.kind} {row.n}: {row.outcome}"
            + (f" ({row.code})" if row.code else ""),
            f"    {_money_of(row.amount_minor, row)}, {row.processor} {row.processor_account_id}",
            f"    its id there {row.processor_payment_id or 'unknown'}, reference {row.reference}",
            f"    first sent {_time(row.first_sent_at)}, answered {_time(row.answered_at)}",
            f"    sent {row.sendings} times, asked for {row.asked} times",
            *([f"    {row.detail}"] if row.detail else []),
        ]
    return lines


def _money(whole: "WholePayment") -> list[str]:
    lines = ["", "Receipts" if whole.receipts else "No receipts"]
    for row in whole.receipts:
        failed = ", FAILED since" if row.failed else ""
        lines.append(
            f"  {row.receipt_id}  {_money_of(row.collected_minor, row)} by {row.source}, "
            f"{row.finality}{failed}: {_where(row, row)}"
        )
    return lines


def _where(amounts: Any, row: Any) -> str:
    parts = ("reported", "stranded", "refunded")
    return ", ".join(f"{p} {_money_of(getattr(amounts, f'{p}_minor'), row)}" for p in parts)


def _history(whole: "WholePayment") -> list[str]:
    lines = ["", "History"]
    for row in whole.history:
        moved = row.state_after
        if row.state_before != row.state_after:
            moved = f"{row.state_before} -> {row.state_after}"
        note = row.detail.get("why") or row.detail.get("note") or row.detail.get("detail") or ""
        lines.append(
            f"  {row.seq:3} {_time(row.at)}  {row.fact}: {moved} "
            f"{row.reason_after or ''} by {row.actor}  {note}".rstrip()
        )
    return lines


def _verbs(whole: "WholePayment") -> list[str]:
    """The exact commands that a person can go on with."""
    its = whole.payment.payment_id
    out = next((a for a in whole.attempts if a.kind == "charge" and a.outcome in _UNRESOLVED), None)
    lines = ["", "To go on"]
    if out is not None:
        where = f"Look at {out.processor} ({out.processor_account_id}) for {out.reference}; then:"
        named = out.processor_payment_id or "THEIR_ID"
        lines += [
            f"  {where}",
            f'  twintill resolve {its} --attempt {out.attempt_id} --charged {named} --why "..."',
            f'  twintill resolve {its} --attempt {out.attempt_id} --not-charged --why "..."',
        ]
    if whole.payment.parked_at is not None:
        what = "asks for it again" if out is not None else "goes on where it was"
        lines.append(f'  twintill unpark {its} --why "..."    ({what})')
    if len(lines) == 2:
        lines.append("  Nothing waits for a person.")
    return lines


def _money_of(amount_minor: int, row: Any) -> str:
    return shown(Money(amount_minor, row.currency))


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment is not None else "-"
