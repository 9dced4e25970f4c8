"""`twintill events`: what your app was told, and telling it again."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="What your app was told: docs/events.md.")


@app.command(name="list")
def list_all(
    *,
    type: Annotated[str | None, typer.Option(help="Only these, e.g. payment.declined.")] = None,
    about: Annotated[str | None, typer.Option(help="Only those about this object.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Newest first. Example: `twintill events list --about pay_4c1e`"""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import outgoing
    from twintill.store.listing import Page

    only = outgoing.EventFilter(type, about)
    found, _ = ask(lambda db, scope: outgoing.page(db, scope, Page(limit), only))
    rows = [(event.event_id, event.created_at, event.type, event.object_id) for event in found]
    show(("event id", "when", "type", "about"), rows)


@app.command()
def types() -> None:
    """All that your app can be told of, and when each comes."""
    from twintill.cli.tables import show
    from twintill.domain.event_types import CATALOGUE

    show(("type", "when"), [(event.name, event.when) for event in CATALOGUE.values()])


@app.command()
def show(event_id: Annotated[str, typer.Argument(help="evt_...")]) -> None:
    """One event's data, and its deliveries. Example: `twintill events show evt_9xQz`"""
    import json

    from twintill.cli.asking import ask
    from twintill.cli.tables import show as show_table
    from twintill.store import outgoing
    from twintill.store import outgoing_deliveries as deliveries

    event = ask(lambda db, scope: outgoing.read(db, scope, event_id))
    its = ask(lambda db, scope: deliveries.of_event(db, scope, event_id))
    print(f"{event.type}, {event.created_at.isoformat(' ', 'seconds')}")
    print(json.dumps(event.payload, indent=2))
    rows = [(d.endpoint_id, d.state, d.sendings, d.last_status, d.last_error) for d in its]
    show_table(("endpoint id", "state", "sent", "status", "error"), rows)


@app.command()
def resend(
    event_id: Annotated[str, typer.Argument(help="evt_..., as `list` shows it.")],
    *,
    to: Annotated[
        str | None, typer.Option(help="we_...: to this one only; else to all that ask for it.")
    ] = None,
) -> None:
    """Send it again. Example: `twintill events resend evt_9xQz --to we_4Yk9`"""
    from twintill.cli.asking import ask
    from twintill.flows import endpoints as flow

    count = ask(lambda db, scope: flow.resend(db, scope, event_id, to))
    print(f"{event_id} is sent again, to {count} endpoints.")
