"""Fills the tables of docs/processors from the code: python -m tests.processors.pages."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from twintill.domain.outcomes import DeclineKind
from twintill.processors import Capabilities, Disputes, EventKind, RefundLists, Refunds
from twintill.processors.gocardless import GoCardless
from twintill.processors.gocardless import declines as gocardless_declines
from twintill.processors.gocardless import refusals as gocardless_refusals
from twintill.processors.gocardless import webhooks as gocardless_webhooks
from twintill.processors.gocardless.currencies import SCHEMES
from twintill.processors.gocardless.plug import GoCardlessSettings
from twintill.processors.paypal import PayPalProcessor
from twintill.processors.paypal import declines as paypal_declines
from twintill.processors.paypal import webhooks as paypal_webhooks
from twintill.processors.paypal.currencies import EXPONENTS
from twintill.processors.paypal.plug import PayPalSettings
from twintill.processors.plug import ProcessorSettings
from twintill.processors.reports import EventLists, Settlements
from twintill.processors.sandbox import SandboxProcessor
from twintill.processors.sandbox.plug import SandboxSettings
from twintill.sandbox.gocardless.words import CHOICES, NAMES
from twintill.sandbox.paypal.methods import METHODS as WALLETS
from twintill.sandbox.processor.magic import METHODS, Magic

FOLDER = Path(__file__).parents[2] / "docs" / "processors"
PAGES = ("README", "paypal", "gocardless", "sandbox")
_BLOCK = re.compile(r"<!-- table: ([a-z_]+) -->\n.*?<!-- end -->", re.DOTALL)
_ADAPTERS = (SandboxProcessor, PayPalProcessor, GoCardless)
_OPTIONAL = {
    "refunds": Refunds,
    "lists the refunds of all charges": RefundLists,
    "can be asked for disputes": Disputes,
    "lists its events (catch-up)": EventLists,
    "reports fees and payouts": Settlements,
}


def filled(text: str) -> str:
    """The page, with each table as the code has it."""
    return _BLOCK.sub(lambda at: f"<!-- table: {at[1]} -->\n{TABLES[at[1]]()}\n<!-- end -->", text)


def used() -> set[str]:
    """The tables that some page shows."""
    return {name for page in PAGES for name in _BLOCK.findall((FOLDER / f"{page}.md").read_text())}


def _table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(headings)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _capabilities() -> str:
    rows: list[list[str]] = []
    for words, tell in _TOLD.items():
        rows.append([words, *(tell(its.capabilities) for its in _ADAPTERS)])
    for words, protocol in _OPTIONAL.items():
        rows.append([words, *(_yes(issubclass(its, protocol)) for its in _ADAPTERS)])
    names = (its.capabilities.display_name for its in _ADAPTERS)
    return _table(["", *names], rows)


def _yes(holds: object) -> str:
    return "yes" if holds else "no"


def _span(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _days(its: Capabilities) -> str:
    return "–" if its.refunds_within_days is None else f"{its.refunds_within_days} days"


_TOLD: Mapping[str, Callable[[Capabilities], str]] = {
    "methods": lambda its: ", ".join(its.method_kinds).replace("_", " "),
    "tells what became of a charge": lambda its: its.tells.value.replace("_", " "),
    "money is final after about": lambda its: (
        f"{its.final_after_days} days" if its.final_after_days else "at once"
    ),
    "idempotency key is counted on for": lambda its: _span(its.key_window_s),
    "a lost answer is looked up by": lambda its: its.look_up.value,
    "the look-up may lag by": lambda its: _span(its.look_up_lag_s),
    "a pending charge can be cancelled": lambda its: _yes(its.can_cancel_pending),
    "refunds are taken within": _days,
    "tells of revoked methods": lambda its: _yes(its.tells_of_revoked_methods),
    "currencies": lambda its: "any" if its.currencies is None else str(len(its.currencies)),
}


def _settings(of: type[ProcessorSettings]) -> str:
    rows = [
        [
            f"`{of.prefix}{name.upper()}`",
            "needed" if field.is_required() else _default(field.default),
            str(field.description).partition(": ")[2],
        ]
        for name, field in of.model_fields.items()
    ]
    return _table(["variable", "", "what"], rows)


def _default(value: object) -> str:
    return "unset" if value is None else f"`{value}`"


def _by_class(declines: Mapping[str, DeclineKind]) -> str:
    rows = [
        [f"`{kind.value}`", ", ".join(f"`{raw}`" for raw, its in declines.items() if its is kind)]
        for kind in DeclineKind
        if kind in declines.values()
    ]
    return _table(["class", "raw codes"], rows)


def _gocardless_codes() -> str:
    named = {
        f"{scheme} {code}": kind for (scheme, code), kind in gocardless_declines._CODES.items()
    }
    return _by_class(named)


def _config(sentences: Mapping[str, str]) -> str:
    whole: dict[str, list[str]] = {}
    for raw, sentence in sentences.items():
        whole.setdefault(sentence, []).append(f"`{raw}`")
    return _table(["it says", "of"], ([told, ", ".join(raws)] for told, raws in whole.items()))


def _paypal_events() -> str:
    return _events({name: kind.value for name, kind in paypal_webhooks._KINDS.items()})


def _gocardless_events() -> str:
    known = {f"payments {name}": kind.value for name, kind in gocardless_webhooks._PAYMENTS.items()}
    gone = EventKind.METHOD_REVOKED.value
    known |= {f"mandates {name}": gone for name in sorted(gocardless_webhooks._MANDATES_GONE)}
    known |= {f"refunds {name}": kind.value for name, kind in gocardless_webhooks._REFUNDS.items()}
    return _events(known)


def _events(known: Mapping[str, str]) -> str:
    return _table(["event", "is"], ([f"`{name}`", f"`{kind}`"] for name, kind in known.items()))


def _choices(methods: Mapping[str, Magic]) -> str:
    rows = [[f"`{key}`", methods[key].label, methods[key].hint] for key in methods]
    return _table(["key", "on the page", "then"], rows)


def _names() -> str:
    rows = [[name, CHOICES[key].label, CHOICES[key].hint] for name, key in NAMES.items()]
    return _table(["given name", "is", "then"], rows)


def _paypal_currencies() -> str:
    whole = [currency for currency, exponent in EXPONENTS.items() if exponent == 0]
    return f"{', '.join(EXPONENTS)}. Without decimals: {', '.join(whole)}."


def _schemes() -> str:
    return _table(["currency", "scheme"], ([name, f"`{its}`"] for name, its in SCHEMES.items()))


TABLES: Mapping[str, Callable[[], str]] = {
    "capabilities": _capabilities,
    "paypal_settings": lambda: _settings(PayPalSettings),
    "paypal_currencies": _paypal_currencies,
    "paypal_events": _paypal_events,
    "paypal_declines": lambda: _by_class(paypal_declines.DECLINES),
    "paypal_not_sent": lambda: _config(paypal_declines.CONFIG | paypal_declines.INEXACT),
    "paypal_choices": lambda: _choices(WALLETS),
    "gocardless_settings": lambda: _settings(GoCardlessSettings),
    "gocardless_currencies": _schemes,
    "gocardless_events": _gocardless_events,
    "gocardless_declines": lambda: _by_class(gocardless_declines._CAUSES),
    "gocardless_codes": _gocardless_codes,
    "gocardless_credentials": lambda: _config(gocardless_refusals._CREDENTIALS),
    "gocardless_not_sent": lambda: _config(gocardless_refusals._CONFIG),
    "gocardless_choices": lambda: _choices(CHOICES),
    "gocardless_names": _names,
    "sandbox_settings": lambda: _settings(SandboxSettings),
    "sandbox_choices": lambda: _choices(METHODS),
}


if __name__ == "__main__":
    for page in PAGES:
        path = FOLDER / f"{page}.md"
        path.write_text(filled(path.read_text()))
