"""`twintill customers`: what one customer has otherwise than the account."""

import json
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Customers, and what they have otherwise.")

Given = Annotated[
    list[str] | None,
    typer.Option("--set", help="field=value, e.g. retry_pauses=P1D,P3D or exhausted=leave_open."),
]


@app.command()
def policy(
    customer_id: Annotated[str, typer.Argument(help="cus_..., as Stripe calls it.")],
    *,
    given: Given = None,
    clear: Annotated[bool, typer.Option("--clear", help="As the account has it again.")] = False,
) -> None:
    """Show a customer's dunning policy, or change some of it; the rest stays as it was.

    Example: `twintill customers policy cus_Nffrf --set due_margin=P2D --set exhausted=leave_open`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.domain.overrides import overlay, shown
    from twintill.flows import customer_policy as flow
    from twintill.settings import read_settings
    from twintill.store import customer_pages as pages

    account = read_settings().policy
    changes = dict(_field(one) for one in given or ())

    async def do(db: Any, scope: Any) -> dict[str, Any]:
        row = await pages.read_customer(db, scope, customer_id)
        overrides = {**({} if clear else row.policy or {}), **changes}
        if clear or changes:
            await flow.change(db, scope, account, customer_id, overrides)
        return overrides

    overrides = ask(do)
    holds = shown(overlay(account, overrides))
    rows = [(f, json.dumps(v), "own" if f in overrides else "") for f, v in holds.items()]
    show(("field", "holds", "whose"), rows)


@app.command()
def methods(
    customer_id: Annotated[str, typer.Argument(help="cus_..., as Stripe calls it.")],
) -> None:
    """A customer's payment methods, in the order in which they are tried.

    Example: `twintill customers methods cus_Nffrf`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import methods as stored

    found = ask(lambda db, scope: stored.list_of_customer(db, scope, customer_id))
    rows = [
        (m.id, m.kind, m.status, "default" if m.is_default else "", m.expires_at) for m in found
    ]
    show(("payment method id", "type", "status", "", "expires"), rows)


@app.command()
def order(
    customer_id: Annotated[str, typer.Argument(help="cus_..., as Stripe calls it.")],
    method_ids: Annotated[list[str], typer.Argument(help="All active ones, the default first.")],
) -> None:
    """Put a customer's payment methods in order: the first is charged, the others when it fails.

    Example: `twintill customers order cus_Nffrf pm_9b1c pm_04fe`
    """
    from twintill.cli.asking import ask
    from twintill.flows import methods as flow

    ask(lambda db, scope: flow.order(db, scope, customer_id, method_ids))
    print(f"{customer_id} is collected with {method_ids[0]} from now on.")


@app.command()
def tax() -> None:
    """Customers whose tax cannot be computed, since when, and what to do.

    Mend one with `POST /v1/customers/{id}/tax_location`, or in Stripe's Dashboard: what waited for
    it goes on by itself.
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.domain.tax import KIND
    from twintill.flows.tax import state_of
    from twintill.store import operations
    from twintill.store.listing import Page

    async def do(db: Any, scope: Any) -> list[Any]:
        found, _ = await operations.page(db, scope, KIND, Page(limit=100), unended=True)
        return [state_of(one) for one in found]

    rows = [(s.customer_id, s.problem or "being looked at", s.what_to_do or "") for s in ask(do)]
    show(("customer", "problem", "what to do"), rows)


def _field(text: str) -> tuple[str, Any]:
    """Durations are separated by commas; true and false are what they say."""
    name, is_there, value = text.partition("=")
    if not is_there:
        raise typer.BadParameter(f"{text}: field=value is wanted")
    if name == "retry_pauses":
        return name, [pause for pause in value.split(",") if pause]
    return name, {"true": True, "false": False}.get(value, value)
