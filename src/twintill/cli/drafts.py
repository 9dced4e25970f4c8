"""`twintill drafts`: those that wait for a review, and who lets them go."""

import getpass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli import draft_rules
from twintill.cli.amounts import read_signed, shown

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from twintill.domain.drafting import Item, Verb
    from twintill.flows.means import Means
    from twintill.ids import Scope
    from twintill.store.reviews import Review

app = typer.Typer(no_args_is_help=True, help="Drafts that wait for a review: docs/invoices.md.")
app.add_typer(draft_rules.app, name="rules")

Draft = Annotated[str, typer.Argument(metavar="DRAFT", help="in_... or rev_..., as `list` has it.")]
Why = Annotated[str | None, typer.Option(help="Kept with who did it.")]


@app.command(name="list")
def list_all(
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that wait no more.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
) -> None:
    """Which drafts wait, for how long, who held them and why; the newest first.

    A held draft is never charged, and the next period's invoice comes on top of it.

    Example: `twintill drafts list`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.store import clock, reviews
    from twintill.store.listing import Page

    async def read(db: "AsyncConnection", scope: "Scope") -> "tuple[list[Review], datetime]":
        waiting = None if everything else True
        found, _ = await reviews.page(db, scope, Page(limit), waiting=waiting)
        return found, await clock.now(db)

    found, now = ask(read)
    columns = ("invoice id", "state", "total", "waits for", "held by", "why", "approved by")
    table((*columns, "period ends", "ended by"), [_row(review, now) for review in found])


@app.command()
def show(draft: Draft) -> None:
    """One of them, and who did what to its invoice. Example: `twintill drafts show in_1Pga...`"""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.store import clock, invoice_actions, reviews

    async def read(
        db: "AsyncConnection", scope: "Scope"
    ) -> "tuple[Review, datetime, list[object]]":
        review = await reviews.read(db, scope, draft)
        actions = await invoice_actions.of_invoice(db, scope, review.invoice_id)
        rows = [(row.at, row.action, row.actor, row.why) for row in actions]
        return review, await clock.now(db), list(rows)

    review, now, rows = ask(read)
    print(f"{review.invoice_id} ({review.id}): {review.state}, {_money(review)}")
    print(f"held by {review.held_by} for {_age(now - review.held_at)}: {review.why or 'no reason'}")
    if review.period_ends_at is not None:
        print(f"the next invoice comes on top of it at {review.period_ends_at:%Y-%m-%d %H:%M}")
    table(("at", "action", "by", "why"), rows)  # type: ignore[arg-type]


@app.command()
def hold(
    draft: Annotated[str, typer.Argument(metavar="INVOICE", help="in_...")],
    *,
    why: Annotated[str, typer.Option(help="What somebody has to look at.")],
) -> None:
    """Stripe does not finalize it before it is approved by somebody else, and released.

    Example: `twintill drafts hold in_1Pga... --why "the quantity looks wrong"`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import reviews
    from twintill.ids import new_id

    async def do(means: "Means") -> None:
        operation_id = new_id("dee")
        await reviews.hold(means, means.scope, operation_id, draft, by=_person(), why=why)
        await _walk(means, operation_id)

    ask_means(do)
    print(f"{draft} is held.")


@app.command()
def approve(draft: Draft, *, why: Why = None) -> None:
    """Approve it with the total that it has now; not your own doing. Then it can be released.

    Example: `twintill drafts approve in_1Pga... --why "checked against the contract"`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import reviews
    from twintill.ids import new_id

    async def do(means: "Means") -> "Review":
        act = new_id("act")
        return await reviews.approve(means, means.scope, act, draft, by=_person(), why=why)

    review = ask_means(do)
    print(f"{review.invoice_id} is approved by {review.approved_by}: {_money(review)}.")


@app.command()
def release(draft: Draft, *, why: Why = None) -> None:
    """Finalize what was approved; from then on it is collected like any other.

    Example: `twintill drafts release in_1Pga...`
    """
    from twintill.domain.drafting import Verb

    _do(draft, Verb.RELEASE, why)
    print(f"{draft} is released.")


@app.command()
def void(draft: Draft, *, why: Why = None) -> None:
    """Void it without anybody being charged; a one-off's draft is deleted.

    Example: `twintill drafts void in_1Pga... --why "billed by mistake"`
    """
    from twintill.domain.drafting import Verb

    _do(draft, Verb.VOID, why)
    print(f"{draft} is voided.")


@app.command()
def change(
    draft: Draft,
    *,
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="AMOUNT TEXT", help="Such as '5.00EUR Setup' or '-5EUR Sorry'."),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="ii_...", help="Take this item off.")
    ] = None,
    why: Why = None,
) -> None:
    """Add and remove items; an approval is taken back, since it was of something else.

    Example: `twintill drafts change in_1Pga... --add "-5.00EUR goodwill" --remove ii_1Pga...`
    """
    from twintill.domain.drafting import Verb

    items = tuple(_item(text) for text in add or ())
    _do(draft, Verb.CHANGE, why, items, tuple(remove or ()))
    print(f"{draft} is changed; it has to be approved.")


def _do(
    draft: str,
    verb: "Verb",
    why: str | None,
    add: "tuple[Item, ...]" = (),
    remove: tuple[str, ...] = (),
) -> None:
    from twintill.cli.asking import ask_means
    from twintill.flows import reviews
    from twintill.flows.reviews import Deed
    from twintill.ids import new_id

    async def do(means: "Means") -> None:
        operation_id = new_id("dee")
        deed = Deed(verb, _person(), why, add, remove)
        await reviews.begin(means, means.scope, operation_id, draft, deed)
        await _walk(means, operation_id)

    ask_means(do)


async def _walk(means: "Means", operation_id: str) -> None:
    """Raises what it is refused with."""
    from twintill.flows import operations as operating
    from twintill.flows import reviews
    from twintill.store import operations

    await operating.drive(means, means.scope, operation_id, patience_s=20)
    async with means.database.connect() as db:
        its = await operations.read(db, means.scope, operation_id)
    reviews.require_done(its)
    if its.ended_at is None:
        print(f"{operation_id}: not at its end yet ({its.error or its.step}); a worker goes on.")


def _item(text: str) -> "Item":
    from twintill.domain.drafting import Item

    amount, _, words = text.strip().partition(" ")
    money = read_signed(amount, "--add")
    return Item(words.strip() or None, money.minor, money.currency)


def _row(review: "Review", now: datetime) -> tuple[object, ...]:
    age = _age((review.ended_at or now) - review.held_at)
    held = (review.held_by, review.why, review.approved_by)
    ends = (review.period_ends_at, review.ended_by)
    return (review.invoice_id, review.state, _money(review), age, *held, *ends)


def _money(review: "Review") -> str:
    from twintill.money import Money

    return shown(Money(review.total_minor, review.currency))


def _age(age: timedelta) -> str:
    hours, rest = divmod(int(age.total_seconds()), 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60} min"


def _person() -> str:
    return f"person:{getpass.getuser()}"
