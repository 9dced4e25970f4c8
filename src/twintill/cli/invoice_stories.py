"""`twintill invoices show` and `timeline`: how one invoice stands, and how it came to that."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.invoices import app
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.invoice_standing import WholeInvoice

Invoice = Annotated[str, typer.Argument(help="in_...")]


@app.command()
def show(invoice_id: Invoice) -> None:
    """How an invoice stands, in plain words: attempts, what comes next and why then, who did what.

    Example: `twintill invoices show in_1PgafmB7WZ01zgkW6dKueIc5`
    """
    from twintill.cli.asking import ask
    from twintill.flows import invoice_standing
    from twintill.settings import read_settings

    policy = read_settings().policy
    whole = ask(lambda db, scope: invoice_standing.read(db, scope, policy, invoice_id))
    for line in (*_head(whole), *_attempts(whole), *_subscription(whole), *_actions(whole)):
        print(line)


@app.command()
def timeline(invoice_id: Invoice) -> None:
    """The whole story of an invoice, the oldest line first: each with whose word it is.

    Across Stripe's events, the processor, the ledger, Twintill and people; what is still to come
    stands at the end, with a `~`.

    Example: `twintill invoices timeline in_1PgafmB7WZ01zgkW6dKueIc5`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.flows import timeline as flow
    from twintill.settings import read_settings

    policy = read_settings().policy
    story = ask(lambda db, scope: flow.read(db, scope, policy, invoice_id))
    rows = [
        (f"{'~ ' if line.planned else ''}{_time(line.at)}", line.source.value, line.text)
        for line in story.lines
    ]
    table(("at", "source", "what"), rows)
    if story.truncated:
        print("There is more: the newest rows of one source are left out.")


def _head(whole: "WholeInvoice") -> list[str]:
    row = whole.invoice
    money = Money(row.amount_due_minor, row.currency)
    lines = [
        f"{row.invoice_id}  {row.number or '(no number)'}  {money}  {row.status}",
        f"  {whole.words}",
        f"  customer {row.customer_id}, subscription {row.subscription_id or '-'}",
        f"  due {_time(row.due_at)}",
    ]
    if whole.continues is not None:
        lines.append(f"  It goes on with {whole.continues}")
    if whole.collecting is not None:
        lines.append(f"  payment {whole.collecting.payment.payment_id}")
        lines += [
            f"  Followed by {its.data.get('new_invoice_id') or its.operation_id}"
            for its in whole.collecting.follow_ons
        ]
    return lines


def _attempts(whole: "WholeInvoice") -> list[str]:
    tried: list[Any] = whole.collecting.attempts if whole.collecting else []
    lines = ["", "Attempts" if tried else "No attempts"]
    for row in tried:
        why = ": ".join(word for word in (row.code, row.detail) if word)
        lines.append(
            f"  {_time(row.first_sent_at)}  {row.kind} {row.n} at {row.processor}: {row.outcome}"
            + (f" ({why})" if why else "")
        )
    if whole.follows is not None:
        lines.append(f"  {_time(whole.follows.at)}  next, with {whole.follows.method_id}")
    return lines


def _subscription(whole: "WholeInvoice") -> list[str]:
    its = whole.subscription
    if its is None:
        return []
    changes = [f"  {_time(row.at)}  {row.status_after}, from {row.actor}" for row in its.changes]
    return ["", f"Subscription {its.id}: {its.status}", *changes]


def _actions(whole: "WholeInvoice") -> list[str]:
    if not whole.actions:
        return []
    said = [
        f"  {_time(row.at)}  {row.action} by {row.actor}" + (f": {row.why}" if row.why else "")
        for row in whole.actions
    ]
    return ["", "Who did what", *said]


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment is not None else "-"
