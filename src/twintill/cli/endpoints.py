"""`twintill endpoints`: where your app hears of events, and what it missed there."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from datetime import timedelta

    from twintill.flows.means import Means

app = typer.Typer(no_args_is_help=True, help="Where your app hears of events: docs/events.md.")

Id = Annotated[str, typer.Argument(help="we_..., as `list` shows it.")]
_PATIENCE_S, _LOOK_S = 20.0, 0.2


@app.command(name="list")
def list_all() -> None:
    """All of them: what each asks for, since when it fails, and why it is disabled."""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import endpoints
    from twintill.store.listing import Page

    found, _ = ask(lambda db, scope: endpoints.page(db, scope, Page(1000)))
    rows = [
        (
            one.id,
            one.status,
            one.url,
            ",".join(one.types or ("*",)),
            one.source,
            one.description,
            one.standing.failing_since,
            one.disabled_why,
        )
        for one in found
    ]
    columns = ("id", "status", "url", "events", "from", "description", "failing since", "why off")
    show(columns, rows)


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="https://..., on the public Internet.")],
    *,
    events: Annotated[
        str, typer.Option(help="Names of events, separated by commas; * for all.")
    ] = "*",
    description: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Add an endpoint and print its secret, this once: it is stored sealed.

    Example: `twintill endpoints add https://app.example.com/hook --events payment.declined`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import endpoints as flow
    from twintill.ids import new_id

    endpoint_id = new_id("we")
    types = [name.strip() for name in events.split(",") if name.strip()]

    async def do(means: "Means") -> str | None:
        given: dict[str, Any] = {"url": url, "types": types, "description": description}
        return await flow.add(means, means.scope, endpoint_id, **given)

    print(ask_means(do))
    print(f"({endpoint_id}: keep the secret safe, it is not shown again)", file=sys.stderr)


@app.command()
def remove(endpoint_id: Id) -> None:
    """Tell it nothing more, and forget its secret. Example: `twintill endpoints remove we_4Yk9`"""
    from twintill.cli.asking import ask
    from twintill.flows import endpoints as flow

    ask(lambda db, scope: flow.remove(db, scope, endpoint_id))
    print(f"{endpoint_id} is removed.")


@app.command()
def enable(endpoint_id: Id) -> None:
    """Tell it again what happens from now on; `recover` sends what it missed.

    Example: `twintill endpoints enable we_4Yk9`
    """
    _switch(endpoint_id, on=True)
    print(f"{endpoint_id} is enabled. What it missed: `twintill endpoints recover`.")


@app.command()
def disable(endpoint_id: Id) -> None:
    """Tell it nothing until it is enabled again. Example: `twintill endpoints disable we_4Yk9`"""
    _switch(endpoint_id, on=False)
    print(f"{endpoint_id} is disabled.")


@app.command()
def rotate(
    endpoint_id: Id,
    *,
    overlap: Annotated[str, typer.Option(help="How long both sign: 0s to 7d.")] = "1d",
) -> None:
    """Print a new secret, this once; the former one signs too until the overlap is over.

    Example: `twintill endpoints rotate we_4Yk9 --overlap 2d`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import endpoints as flow

    both = _age(overlap)
    print(ask_means(lambda means: flow.rotate(means, means.scope, endpoint_id, both)))
    print("(keep the secret safe, it is not shown again)", file=sys.stderr)


@app.command()
def test(endpoint_id: Id) -> None:
    """Send it an event that means nothing, and say what came of it. A worker has to run.

    Exit code 1: it was not delivered. Example: `twintill endpoints test we_4Yk9`
    """
    from twintill.cli.asking import ask_means

    said, delivered = ask_means(lambda means: _test(means, endpoint_id))
    print(said)
    sys.exit(0 if delivered else 1)


@app.command()
def recover(
    endpoint_id: Id,
    *,
    since: Annotated[str, typer.Option(help="How long ago: 3d, 12h, 30m.")],
) -> None:
    """Send (again) every event since then that it asks for and has not got.

    Example: `twintill endpoints recover we_4Yk9 --since 3d`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import endpoints as flow
    from twintill.store import clock

    ago = _age(since)

    async def do(means: "Means") -> int:
        async with means.database.connect() as db:
            began = await clock.now(db) - ago
        count, more = 0, True
        while more:
            found = await flow.recover(means, means.scope, endpoint_id, began)
            count, more = count + found.count, found.more
        return count

    print(f"{ask_means(do)} events are sent again.")


@app.command()
def deliveries(
    endpoint_id: Id,
    *,
    state: Annotated[
        str | None, typer.Option(help="Only these: pending, delivered or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """What was sent to it, newest first, and what it answered.

    Example: `twintill endpoints deliveries we_4Yk9 --state failed`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import outgoing_deliveries
    from twintill.store.listing import Page

    page = Page(limit)
    found, _ = ask(lambda db, scope: outgoing_deliveries.page(db, scope, endpoint_id, page, state))
    rows = [
        (d.event_id, d.state, d.sendings, d.sent_at, d.last_status, d.last_error, d.answer)
        for d in found
    ]
    show(("event id", "state", "sent", "last", "status", "error", "answer"), rows)


def _switch(endpoint_id: str, *, on: bool) -> None:
    from twintill.cli.asking import ask
    from twintill.flows import endpoints as flow
    from twintill.store import endpoints

    async def do(db: Any, scope: Any) -> None:
        await flow.switch(db, scope, await endpoints.read(db, scope, endpoint_id), on=on)

    ask(do)


async def _test(means: "Means", endpoint_id: str) -> tuple[str, bool]:
    from twintill.flows import endpoints as flow
    from twintill.store import outgoing_deliveries, work

    async with means.database.begin() as db:
        delivery_id = await flow.test(db, means.scope, endpoint_id)
        await work.wake(db)
    for _ in range(int(_PATIENCE_S / _LOOK_S)):
        async with means.database.connect() as db:
            its = await outgoing_deliveries.read(db, means.scope, delivery_id)
        if its.state == "delivered":
            return f"Delivered: it answered {its.last_status}.", True
        if its.sendings:
            return f"Not delivered: {its.last_error}.", False
        await asyncio.sleep(_LOOK_S)
    return "Nothing was sent yet: does `twintill worker` run?", False


def _age(text: str) -> "timedelta":
    from datetime import timedelta

    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in units or len(number) > 5:
        raise typer.BadParameter(f"{text}: 30m, 12h or 3d is wanted")
    return timedelta(**{units[unit]: int(number)})
