"""What the user's hook answers about a draft: read strictly, or refused with the rule it breaks.

    {"invoice": "in_...", "then": "proceed" | "hold" | "finalize", "why": "...",
     "add_items": [{"description": "...", "amount": 500, "currency": "eur"},
                   {"price": "price_...", "quantity": 2}]}

Nothing of an answer that breaks a rule is done. The same rules hold for the items of rules. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from twintill.domain.drafting import LINES_MAX, TIMEOUT_MAX_S, Draft, Item, Plan, Rule, Then
from twintill.money import Money, is_expressible

_AMOUNT_MAX = 99_999_999  # eight digits, says Stripe
_QUANTITY_MAX = 999_999
_TEXT_MAX = 500
_FIELDS = {"invoice", "then", "why", "add_items"}
_ITEM_FIELDS = {"description", "amount", "currency", "price", "quantity"}


def read_answer(said: Any, draft: Draft, by: str) -> Plan | str:
    """What is to be done, or why the answer counts as none. `said`: any JSON."""
    if not isinstance(said, Mapping):
        return "it is not a JSON object"
    unknown = sorted(set(map(str, said)) - _FIELDS)
    if unknown:
        return f"the field {unknown[0]:.40} is unknown"
    if said.get("invoice") != draft.id:
        return "it is about another invoice, or does not say which"
    then, why = said.get("then"), said.get("why")
    if then not in (Then.PROCEED, Then.HOLD, Then.FINALIZE):
        return "`then` is not proceed, hold or finalize"
    if not _is_text(why):
        return f"`why` is not a text of up to {_TEXT_MAX} characters"
    given = said.get("add_items", [])
    if not isinstance(given, list):
        return "`add_items` is not a list"
    items = [_item(one) for one in given]
    wrong = next((one for one in items if isinstance(one, str)), None)
    read = tuple(one for one in items if isinstance(one, Item))
    wrong = wrong or why_not_added(read, draft.currency, draft.lines)
    return wrong or Plan(Then(then), by, read, why)


def why_not_a_rule(rule: Rule) -> tuple[str, str] | None:
    """(The field, and the rule that it breaks.) What could not work is not kept."""
    low, high = rule.min_minor, rule.max_minor
    asks = rule.then is Then.ASK
    if rule.currency is None and (low is not None or high is not None):
        return "currency", "amounts need their currency"
    if low is not None and high is not None and low > high:
        return "max_amount", "it is below min_amount: the rule would never match"
    if asks is (rule.hook is None):
        return "hook_url", "`ask` needs an address to ask, and nothing else has one"
    if rule.hook is not None and not 1 <= rule.hook.timeout_s <= TIMEOUT_MAX_S:
        return "hook_timeout_s", f"from 1 to {TIMEOUT_MAX_S} seconds"
    if rule.default is Then.ASK:
        return "default", "proceed, hold or finalize: it is what happens without an answer"
    if asks and rule.items:
        return "add_items", "the hook says what is added"
    if rule.currency is None and any(item.currency is not None for item in rule.items):
        return "currency", "items with amounts need a rule for drafts of their currency"
    why = why_not_added(rule.items, rule.currency)
    return None if why is None else ("add_items", why)


def why_not_added(items: Sequence[Item], currency: str | None, lines: int = 0) -> str | None:
    """The rule that these items break on a draft of this currency (None: of any); None: none."""
    if lines + len(items) > LINES_MAX:
        return f"an invoice has at most {LINES_MAX} lines; this would be {lines + len(items)}"
    return next((why for item in items if (why := _why_not(item, currency))), None)


def _why_not(item: Item, currency: str | None) -> str | None:
    if (item.amount_minor is None) == (item.price is None):
        return "an item has an `amount` or a `price`, and not both"
    if item.price is not None:
        return None if item.currency is None else "the price has its currency: do not name another"
    return _why_not_amount(item, currency)


def _why_not_amount(item: Item, currency: str | None) -> str | None:
    if item.currency is None:
        return "an `amount` needs its `currency`"
    if currency is not None and item.currency != currency:
        return f"an item is in {item.currency}, and the invoice in {currency}"
    if item.quantity is not None:
        return "a `quantity` goes with a `price`: an `amount` is the whole line"
    assert item.amount_minor is not None, "it has no price"
    money = Money(item.amount_minor, item.currency)
    if abs(money.minor) > _AMOUNT_MAX or money.minor == 0:
        return f"an amount has one to eight digits and is not 0: {money}"
    return None if is_expressible(money) else f"{money} is not an amount that {money.currency} has"


def _item(given: Any) -> Item | str:
    if not isinstance(given, Mapping):
        return "an item is not a JSON object"
    unknown = sorted(set(map(str, given)) - _ITEM_FIELDS)
    if unknown:
        return f"the field {unknown[0]:.40} of an item is unknown"
    amount, currency = given.get("amount"), given.get("currency")
    price, quantity = given.get("price"), given.get("quantity")
    if amount is not None and type(amount) is not int:
        return "an amount is a whole number of minor units"
    if not (currency is None or _is_currency(currency)):
        return "a currency is three letters"
    if not (price is None or _is_id(price)):
        return "a price is an id of Stripe's"
    if not (quantity is None or (type(quantity) is int and 1 <= quantity <= _QUANTITY_MAX)):
        return f"a quantity is a whole number from 1 to {_QUANTITY_MAX}"
    if not _is_text(given.get("description")):
        return f"a description is a text of up to {_TEXT_MAX} characters"
    upper = None if currency is None else currency.upper()
    return Item(given.get("description"), amount, upper, price, quantity)


def _is_text(value: Any) -> bool:
    fits = isinstance(value, str) and len(value) <= _TEXT_MAX and "\x00" not in value
    return value is None or fits


def _is_currency(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha()


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()
