"""The draft window: which rule decides, how long it is open, what a hook may say, who approves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.domain.situations import LOOK
from twintill.domain.draft_answers import read_answer, why_not_a_rule, why_not_added
from twintill.domain.drafting import (
    Draft,
    Hook,
    Item,
    Plan,
    Rule,
    Then,
    asks_again_in,
    first_match,
    may_not_approve,
    next_notice,
    rests_for,
    why_untouched,
)
from twintill.domain.invoice import InvoiceStatus

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DRAFT = Draft(
    look=replace(LOOK, status=InvoiceStatus.DRAFT),
    customer_id="cus_1",
    subscription_id="sub_1",
    billing_reason="subscription_cycle",
    total_minor=4900,
    lines=1,
    auto_advance=True,
    finalizes_at=NOON + 60 * MINUTE,
    created_by=None,
)
RULE = Rule(
    id="drl_1",
    version=1,
    customer_id=None,
    place=1,
    enabled=True,
    min_minor=None,
    max_minor=None,
    currency=None,
    billing_reason=None,
    then=Then.HOLD,
    items=(),
    why=None,
    needs_approval=True,
    hook=None,
    default=Then.PROCEED,
)
HOOK = Hook("https://app.example/hook", 5)
ASKS = replace(RULE, then=Then.ASK, hook=HOOK)
ITEM = Item("Setup", 500, "EUR")


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"customer_id": "cus_1"}, True),
        ({"customer_id": "cus_2"}, False),
        ({"currency": "EUR", "min_minor": 4900, "max_minor": 4900}, True),
        ({"currency": "EUR", "min_minor": 4901}, False),
        ({"currency": "EUR", "max_minor": 4899}, False),
        ({"currency": "USD"}, False),
        ({"billing_reason": "subscription_cycle"}, True),
        ({"billing_reason": "manual"}, False),
    ],
)
def test_all_of_its_conditions_must_hold(conditions: dict[str, Any], matches: bool) -> None:
    assert replace(RULE, **conditions).matches(DRAFT) is matches


def test_the_customers_own_come_first_then_each_in_its_place() -> None:
    late = replace(RULE, id="drl_2", place=2)
    own = replace(RULE, id="drl_3", place=9, customer_id="cus_1")
    assert first_match(DRAFT, [late, RULE]) is RULE
    assert first_match(DRAFT, [late, RULE, own]) is own
    assert first_match(DRAFT, [replace(RULE, enabled=False)]) is None


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (replace(DRAFT, look=replace(LOOK, status=InvoiceStatus.OPEN)), "it is open already"),
        (
            replace(DRAFT, look=replace(DRAFT.look, collection_method="charge_automatically")),
            "Stripe collects it itself",
        ),
        (replace(DRAFT, auto_advance=False), "it does not finalize by itself"),
        (
            replace(DRAFT, created_by="sgn_1", billing_reason="subscription_create"),
            "it is a sign-up's first invoice",
        ),
        (replace(DRAFT, finalizes_at=NOON + 5 * MINUTE), "the window is over"),
    ],
)
def test_what_is_not_touched_says_why(draft: Draft, why: str) -> None:
    assert (why_untouched(draft, NOON, 5 * MINUTE) or "").startswith(why)


@pytest.mark.parametrize("finalizes_at", [None, NOON + 6 * MINUTE])
def test_the_window_is_open(finalizes_at: datetime | None) -> None:
    draft = replace(DRAFT, finalizes_at=finalizes_at)
    assert why_untouched(draft, NOON, 5 * MINUTE) is None
    of_ours = replace(draft, created_by="sgn_1")
    assert why_untouched(of_ours, NOON, 5 * MINUTE) is None


def test_a_hook_is_asked_three_times_at_most_and_only_while_there_is_time() -> None:
    asked = [asks_again_in(n, DRAFT, NOON, 5 * MINUTE) for n in (1, 2, 3)]
    assert asked == [MINUTE / 2, 2 * MINUTE, None]
    late = NOON + 54 * MINUTE
    assert asks_again_in(1, DRAFT, late, 5 * MINUTE) == MINUTE / 2
    assert asks_again_in(2, DRAFT, late, 5 * MINUTE) is None


def test_a_hook_that_failed_rests() -> None:
    assert rests_for(RULE, NOON) == timedelta(0)
    failed = replace(RULE, hook_failed_at=NOON - MINUTE / 6)
    assert rests_for(failed, NOON) == MINUTE / 3
    assert rests_for(failed, NOON + MINUTE) == timedelta(0)


def test_the_second_person_is_another_one() -> None:
    assert may_not_approve("person:ada", "person:ada", None) == "held it"
    assert may_not_approve("person:ada", "stripe", "person:ada") == "changed it last"
    assert may_not_approve("person:ada", "rule:drl_1", "person:grace") is None


@pytest.mark.parametrize(
    ("now", "told", "period_ends_at", "at"),
    [
        (NOON, 0, None, NOON + DAY),
        (NOON, 0, NOON + 30 * DAY, NOON + DAY),
        (NOON, 0, NOON + 1.5 * DAY, NOON + 0.5 * DAY),
        (NOON, 0, NOON + MINUTE, NOON),
        (NOON + DAY, 1, NOON + 30 * DAY, NOON + 2 * DAY),
        (NOON + DAY, 1, NOON + 2.5 * DAY, NOON + 1.5 * DAY),
        (NOON + DAY, 1, NOON + 1.5 * DAY, NOON + 2 * DAY),
        (NOON + DAY, 1, None, NOON + 2 * DAY),
    ],
)
def test_a_forgotten_one_is_told_daily_and_a_day_before_the_next_comes(
    now: datetime, told: int, period_ends_at: datetime | None, at: datetime
) -> None:
    assert next_notice(now, told, NOON, period_ends_at, DAY) == at


OURS = {"invoice": DRAFT.id, "then": "hold", "why": "new customer"}


def test_an_answer_is_a_plan() -> None:
    items = [
        {"description": "Setup", "amount": 500, "currency": "eur"},
        {"price": "price_1", "quantity": 2},
    ]
    plan = read_answer({**OURS, "add_items": items}, DRAFT, "hook:drl_1")
    added = (ITEM, Item(price="price_1", quantity=2))
    assert plan == Plan(Then.HOLD, "hook:drl_1", added, "new customer")
    least = {"invoice": DRAFT.id, "then": "proceed"}
    assert read_answer(least, DRAFT, "hook:drl_1") == Plan(Then.PROCEED, "hook:drl_1")


def item(**fields: Any) -> dict[str, Any]:
    return {**OURS, "add_items": [{"amount": 500, "currency": "eur", **fields}]}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "it is not a JSON object"),
        ({**OURS, "refund": 1}, "the field refund is unknown"),
        ({**OURS, "invoice": "in_2"}, "it is about another invoice"),
        ({"then": "hold"}, "it is about another invoice"),
        ({**OURS, "then": "ask"}, "`then` is not"),
        ({**OURS, "then": ["hold"]}, "`then` is not"),
        ({**OURS, "why": 1}, "`why` is not a text"),
        ({**OURS, "why": "x" * 501}, "`why` is not a text"),
        ({**OURS, "why": "\x00"}, "`why` is not a text"),
        ({**OURS, "add_items": {}}, "`add_items` is not a list"),
        ({**OURS, "add_items": [1]}, "an item is not a JSON object"),
        (item(discount=1), "the field discount of an item is unknown"),
        (item(amount=True), "an amount is a whole number"),
        (item(amount=5.5), "an amount is a whole number"),
        (item(currency="euro"), "a currency is three letters"),
        (item(currency="usd"), "an item is in USD, and the invoice in EUR"),
        (item(currency=None), "an `amount` needs its `currency`"),
        (item(amount=0), "an amount has one to eight digits"),
        (item(amount=-100_000_000), "an amount has one to eight digits"),
        (item(quantity=2), "a `quantity` goes with a `price`"),
        (item(quantity=0), "a quantity is a whole number"),
        (item(quantity=True), "a quantity is a whole number"),
        (item(description=1), "a description is a text"),
        (item(price="price_1"), "an item has an `amount` or a `price`"),
        (item(amount=None), "an item has an `amount` or a `price`"),
        (item(price="", amount=None), "a price is an id"),
        (item(price="price_1", amount=None), "the price has its currency"),
        ({**OURS, "add_items": [{"price": "price_1"}] * 250}, "an invoice has at most 250 lines"),
    ],
)
def test_an_answer_that_breaks_a_rule_is_none(said: Any, why: str) -> None:
    read = read_answer(said, DRAFT, "hook:drl_1")
    assert isinstance(read, str)
    assert read.startswith(why)


def test_amounts_are_those_that_the_currency_has() -> None:
    assert why_not_added([Item("x", 150, "ISK")], "ISK") == (
        "1.50 ISK is not an amount that ISK has"
    )
    assert why_not_added([Item("x", 100, "ISK")], None) is None


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (RULE, None),
        (ASKS, None),
        (replace(RULE, currency="EUR", min_minor=1, max_minor=2, items=(ITEM,)), None),
        (replace(RULE, items=(Item(price="price_1"),)), None),
        (replace(RULE, min_minor=1), "currency"),
        (replace(RULE, max_minor=1), "currency"),
        (replace(RULE, currency="EUR", min_minor=2, max_minor=1), "max_amount"),
        (replace(RULE, hook=HOOK), "hook_url"),
        (replace(RULE, then=Then.ASK), "hook_url"),
        (replace(ASKS, hook=Hook(HOOK.url, 16)), "hook_timeout_s"),
        (replace(RULE, default=Then.ASK), "default"),
        (replace(ASKS, items=(ITEM,)), "add_items"),
        (replace(RULE, items=(ITEM,)), "currency"),
        (replace(RULE, currency="USD", items=(ITEM,)), "add_items"),
    ],
)
def test_what_could_not_work_is_no_rule(rule: Rule, field: str | None) -> None:
    wrong = why_not_a_rule(rule)
    assert (None if wrong is None else wrong[0]) == field
