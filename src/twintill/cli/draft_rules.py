"""`twintill drafts rules`: what becomes of drafts before Stripe finalizes them."""

import getpass
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from twintill.cli.amounts import read_signed

if TYPE_CHECKING:
    from twintill.domain.drafting import Item, Rule
    from twintill.flows.draft_rules import Judged
    from twintill.flows.means import Means
    from twintill.money import Money
    from twintill.store.draft_rules import RuleRow

app = typer.Typer(no_args_is_help=True, help="Rules for drafts: the first that matches decides.")


class Does(StrEnum):
    PROCEED = "proceed"
    HOLD = "hold"
    FINALIZE = "finalize"
    ASK = "ask"


@app.command(name="list")
def list_all() -> None:
    """All of them: the customers' own, and the account's. Example: `twintill drafts rules list`"""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.store import draft_rules
    from twintill.store.listing import Page

    found, _ = ask(lambda db, scope: draft_rules.page(db, scope, Page(1000)))
    found.sort(key=lambda row: (row.rule.customer_id or "", row.rule.place, row.rule.id))
    columns = ("id", "version", "on", "customer", "place", "when", "then", "otherwise", "why")
    table((*columns, "changed by", "changed at"), [_row(row) for row in found])


@app.command()
def add(  # noqa: PLR0913 -- the conditions that a rule may have
    *,
    then: Annotated[Does, typer.Option(help="`ask`: your hook says.")] = Does.HOLD,
    customer: Annotated[str | None, typer.Option(help="cus_...: only of this one.")] = None,
    place: Annotated[int, typer.Option(min=0, help="In this order.")] = 0,
    from_amount: Annotated[str | None, typer.Option(help="5000EUR: this total or more.")] = None,
    to_amount: Annotated[str | None, typer.Option(help="10EUR: this total or less.")] = None,
    currency: Annotated[str | None, typer.Option(help="EUR: only drafts in it.")] = None,
    reason: Annotated[str | None, typer.Option(help="Such as subscription_cycle.")] = None,
    item: Annotated[
        list[str] | None, typer.Option(metavar="AMOUNT TEXT", help="Added, e.g. '5EUR Setup'.")
    ] = None,
    hook: Annotated[str | None, typer.Option(help="https://... of your app, with `ask`.")] = None,
    hook_timeout: Annotated[int, typer.Option(min=1, max=15, help="Seconds.")] = 5,
    otherwise: Annotated[Does, typer.Option(help="When it cannot be done so.")] = Does.PROCEED,
    approval: Annotated[bool, typer.Option(help="Whether a second person must approve.")] = True,
    why: Annotated[str | None, typer.Option(help="Shown to whoever reviews it.")] = None,
) -> None:
    """Add a rule for the drafts that come from now on; the secret of its hook is printed, once.

    Example: `twintill drafts rules add --from-amount 5000EUR --why "more than 5,000 EUR"`

    Example: `twintill drafts rules add --then ask --hook https://app.example.com/drafts`
    """
    from twintill.domain.drafting import Hook, Rule, Then
    from twintill.ids import new_id

    items = tuple(_item(text) for text in item or ())
    low, high = _amount(from_amount, "--from-amount"), _amount(to_amount, "--to-amount")
    rule = Rule(
        id=new_id("drl"),
        version=1,
        customer_id=customer,
        place=place,
        enabled=True,
        min_minor=low.minor if low else None,
        max_minor=high.minor if high else None,
        currency=_one_currency(currency, low, high, items),
        billing_reason=reason,
        then=Then(then.value),
        items=items,
        why=why,
        needs_approval=approval,
        hook=Hook(hook, hook_timeout) if hook else None,
        default=Then(otherwise.value),
    )
    _keep(rule)


@app.command()
def remove(rule_id: Annotated[str, typer.Argument(help="drl_..., as `list` shows it.")]) -> None:
    """It judges nothing more; what it holds goes on waiting.

    Example: `twintill drafts rules remove drl_4Yk9...`
    """
    from twintill.cli.asking import ask
    from twintill.store import draft_rules

    ask(lambda db, scope: draft_rules.remove(db, scope, rule_id, _person()))
    print(f"{rule_id} is removed.")


@app.command()
def test(
    invoice_id: Annotated[str, typer.Argument(help="in_..., as it is in Stripe now.")],
) -> None:
    """Which rule would match this invoice; nothing is done, and no hook asked.

    Example: `twintill drafts rules test in_1Pga...`
    """
    from twintill.cli.asking import ask_means
    from twintill.flows import draft_rules

    async def do(means: "Means") -> "Judged":
        return await draft_rules.judged(means, means.scope, invoice_id)

    judged = ask_means(do)
    rule = judged.rule
    print(
        "no rule matches it" if rule is None else f"{rule.id} (version {rule.version}): {rule.then}"
    )
    if judged.untouched is not None:
        print(f"but no rule would touch it: {judged.untouched}")


def _keep(rule: "Rule") -> None:
    from twintill.cli.asking import ask_means
    from twintill.flows import draft_rules

    async def do(means: "Means") -> str | None:
        return await draft_rules.add(means, means.scope, rule, _person())

    secret = ask_means(do)
    if secret is None:
        print(rule.id)
        return
    print(secret)
    print(f"({rule.id}: keep the secret safe, it is not shown again)", file=sys.stderr)


def _amount(text: str | None, option: str) -> "Money | None":
    return None if text is None else read_signed(text, option)


def _one_currency(
    named: str | None, low: "Money | None", high: "Money | None", items: "tuple[Item, ...]"
) -> str | None:
    """Raises BadParameter."""
    all_named = {money.currency for money in (low, high) if money}
    all_named |= {one.currency for one in items if one.currency}
    all_named |= {named.upper()} if named else set()
    if len(all_named) > 1:
        raise typer.BadParameter(f"one currency: not {' and '.join(sorted(all_named))}")
    return next(iter(all_named), None)


def _item(text: str) -> "Item":
    from twintill.domain.drafting import Item

    amount, _, words = text.strip().partition(" ")
    money = read_signed(amount, "--item")
    return Item(words.strip() or None, money.minor, money.currency)


def _row(row: "RuleRow") -> tuple[object, ...]:
    rule = row.rule
    what = (rule.id, rule.version, "on" if rule.enabled else "off", rule.customer_id, rule.place)
    then = rule.then.value if rule.hook is None else f"ask {rule.hook.url}"
    return (*what, _when(rule), then, rule.default.value, rule.why, row.changed_by, row.changed_at)


def _when(rule: "Rule") -> str:
    from twintill.money import Money

    parts = [rule.billing_reason or ""]
    if rule.currency is not None:
        low, high = rule.min_minor, rule.max_minor
        parts.append(f"from {Money(low, rule.currency)}" if low is not None else "")
        parts.append(f"to {Money(high, rule.currency)}" if high is not None else "")
        parts.append(rule.currency if low is None and high is None else "")
    return ", ".join(part for part in parts if part) or "always"


def _person() -> str:
    return f"person:{getpass.getuser()}"
