"""`twintill invoices record-payment`, `undo-payment`, `correct-payment`, `payments-by-hand`."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from twintill.cli.amounts import read_amount, shown
from twintill.cli.invoices import app
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.means import Means
    from twintill.store.hand_payments import Recorded

T = TypeVar("T")
Invoice = Annotated[str, typer.Argument(help="in_...")]
Hand = Annotated[str, typer.Argument(help="hp_..., as recording it answered.")]
Why = Annotated[str, typer.Option(help="Kept with it.")]
_ENDINGS = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".txt": "text/plain",
}
Evidence = Annotated[
    list[Path] | None,
    typer.Option(
        exists=True, dir_okay=False, help="A scan (pdf, png, jpg) or a text: kept with its hash."
    ),
]


class Kind(StrEnum):
    CHEQUE = "cheque"
    CASH = "cash"
    BANK_TRANSFER = "bank_transfer"
    OTHER = "other"


@app.command("record-payment")
def record_payment(
    invoice_id: Invoice,
    *,
    amount: Annotated[str, typer.Option(help="With its currency, such as 49.00EUR.")],
    reference: Annotated[str, typer.Option(help="The cheque's number, the receipt's.")],
    kind: Annotated[Kind, typer.Option(help="How it came.")] = Kind.CHEQUE,
    received: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="When you had it. Else today."),
    ] = None,
    note: Annotated[str | None, typer.Option(help="For whoever reads it later.")] = None,
    evidence: Evidence = None,
    as_credit: Annotated[
        bool, typer.Option("--as-credit", help="It came on top of what Stripe shows as paid.")
    ] = False,
) -> None:
    """Money that you have in hand: it is put on the invoice, and Stripe is told.

    While a charge is out it waits, and no other begins. More than is due is the customer's
    credit. The same reference again is refused: pressed twice, it is not two cheques.

    Example: `twintill invoices record-payment in_1Pga... --amount 49.00EUR --reference "no 123"`
    """
    from twintill.domain.hand import HandKind
    from twintill.flows import by_hand
    from twintill.flows.by_hand import Word
    from twintill.ids import new_id
    from twintill.store import clock

    money, files = read_amount(amount), [_file(path) for path in evidence or ()]

    async def do(means: "Means") -> "Recorded":
        async with means.database.connect() as db:
            today = (await clock.now(db)).date()
        day = today if received is None else received.date()
        kind_of = HandKind(kind.value)
        word = Word(kind_of, money.minor, money.currency, day, reference, _actor(), note, as_credit)
        made = await by_hand.record(means, means.scope, invoice_id, new_id("hp"), word)
        await _add(means, made.hand.id, files)
        return made

    print(_said(with_means(do)))


@app.command("undo-payment")
def undo_payment(hand_id: Hand, *, why: Why) -> None:
    """Recorded by mistake: taken back, before Stripe is told of it. Safe to repeat.

    Example: `twintill invoices undo-payment hp_4Yk9... --why "of another invoice"`
    """
    from twintill.flows import by_hand

    print(_said(with_means(lambda m: by_hand.undo(m, m.scope, hand_id, why, _actor()))))


@app.command("correct-payment")
def correct_payment(hand_id: Hand, *, why: Why) -> None:
    """It was wrong, or the cheque came back, after Stripe was told: a credit note follows.

    Then a new invoice, or a person, as the setting `failed_after_report` says. Safe to repeat.

    Example: `twintill invoices correct-payment hp_4Yk9... --why "returned unpaid"`
    """
    from twintill.flows import by_hand

    print(_said(with_means(lambda m: by_hand.correct(m, m.scope, hand_id, why, _actor()))))


@app.command("add-evidence")
def add_evidence(
    hand_id: Hand,
    evidence: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files.")],
) -> None:
    """File what proves a payment by hand; what is there is never changed.

    Example: `twintill invoices add-evidence hp_4Yk9... cheque.pdf`
    """
    files = [_file(path) for path in evidence]
    for line in with_means(lambda means: _add(means, hand_id, files)):
        print(line)


@app.command("payments-by-hand")
def payments_by_hand(invoice_id: Invoice) -> None:
    """What was recorded for an invoice, and the files that prove it.

    Example: `twintill invoices payments-by-hand in_1PgafmB7WZ01zgkW6dKueIc5`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import evidence, hand_payments

    found = ask(lambda db, scope: hand_payments.of_invoice(db, scope, invoice_id))
    files = ask(lambda db, scope: evidence.of_hand(db, scope, *(of.hand.id for of in found)))
    show(COLUMNS, [row_of(of) for of in found])
    for filed in files:
        print(f"{filed.hand_payment_id}: {filed.name}, sha256 {filed.sha256}, by {filed.added_by}")


COLUMNS = ("payment by hand", "kind", "amount", "received", "reference", "state", "credit", "by")


def row_of(of: "Recorded") -> tuple[str, ...]:
    """As `COLUMNS` names it."""
    hand = of.hand
    amount = shown(Money(hand.amount_minor, hand.currency))
    credit = shown(Money(hand.free_minor, hand.currency)) if hand.free_minor else ""
    day = hand.received_on.isoformat()
    return (
        hand.id,
        hand.kind.value,
        amount,
        day,
        hand.reference,
        hand.state.value,
        credit,
        hand.recorded_by,
    )


def with_means(do: "Callable[[Means], Awaitable[T]]") -> T:
    """What `do` answers, with everything at hand that it may need."""
    from twintill.app import open_means
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import Settings, read_settings

    async def run(settings: Settings) -> T:
        async with open_means(settings, pool_size=2) as means:
            return await do(means)

    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        return asyncio.run(run(settings))


def _said(of: "Recorded") -> str:
    hand = of.hand
    amount = shown(Money(hand.amount_minor, hand.currency))
    left = shown(Money(hand.free_minor, hand.currency)) if hand.free_minor else ""
    credit = f"; {left} of it is the customer's credit" if left else ""
    return f"{hand.id}: {amount} for {of.invoice_id} is {hand.state}{credit}."


def _file(path: Path) -> tuple[str, str, bytes]:
    kind = _ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise typer.BadParameter(f"{path.name}: a name ends with {', '.join(_ENDINGS)}")
    return path.name, kind, path.read_bytes()


async def _add(means: "Means", hand_id: str, files: list[tuple[str, str, bytes]]) -> list[str]:
    from twintill.flows import evidence

    filed = [
        await evidence.file(means, means.scope, hand_id, name, kind, body, _actor())
        for name, kind, body in files
    ]
    return [f"{f.name}: sha256 {f.sha256}" for f in filed]


def _actor() -> str:
    return f"person:{getpass.getuser()}"
