"""Faults that a test orders: requests and webhooks that get lost, late, doubled or refused.

A fault is JSON, in the same shape as the sandbox Stripe's:

    {"kind": "timeout_after",
     "match": {"method": "POST", "path_regex": "^/v1/charges$", "nth": 1, "times": 1}}
    {"kind": "status", "code": 500, "body": {...}, "act": true, "match": {...}}
    {"kind": "webhook_drop", "types": ["charge.succeeded"], "times": 1}

`nth` is the first matching request that is hit, `times` how many from there on. `before` means that
the sandbox did nothing; `after` that it acted and only the answer is lost. A `status` fault that
acts replaces the answer by any code and body, also by a wrong 2xx. `webhook_reorder` keeps `times`
events back and then sends the last one first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

REQUEST_KINDS = frozenset(
    ("timeout_before", "timeout_after", "reset_before", "reset_after", "status", "delay")
)
WEBHOOK_KINDS = frozenset(("webhook_drop", "webhook_duplicate", "webhook_delay", "webhook_reorder"))


@dataclass(slots=True)
class Fault:
    """One order; `seen` counts what it matched so far."""

    kind: str
    method: str | None = None
    path_regex: str = ""
    types: list[str] = field(default_factory=list)  # of webhook events; empty: any
    nth: int = 1
    times: int = 1
    code: int = 500  # for `status`, with the three below
    body: Any = None  # JSON, or a string that is sent as it is
    headers: dict[str, str] = field(default_factory=dict)
    act: bool = False  # do what was asked before
    delay_real_s: float = 1.0  # for `delay`
    delay_s: float = 60.0  # for `webhook_delay`, on the sandbox's clock
    retry: bool = False  # for `webhook_drop`: only the first attempt is lost, not the event
    copies: int = 2  # for `webhook_duplicate`
    seen: int = 0

    def hits(self) -> bool:
        """Counts one more match and answers whether this one is hit."""
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times

    @property
    def is_spent(self) -> bool:
        return self.seen + 1 >= self.nth + self.times

    @property
    def acts(self) -> bool:
        return self.act or self.kind.endswith("_after")


class Faults:
    """The faults that are ordered and not yet used up."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Raises ValueError, with a sentence, when the order makes no sense."""
        fault = _parse(order)
        self._ordered.append(fault)
        return fault

    def clear(self) -> None:
        self._ordered.clear()

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._ordered]

    def take_for_request(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, counting it for every fault that it matches."""
        return self._take(
            lambda fault: (
                fault.kind in REQUEST_KINDS
                and fault.method in (None, method)
                and re.search(fault.path_regex, path) is not None
            )
        )

    def take_for_webhook(self, *types: str) -> Fault | None:
        """The fault that hits the delivery of an event of this type, by whichever of its names."""
        return self._take(
            lambda fault: (
                fault.kind in WEBHOOK_KINDS
                and (not fault.types or not set(types).isdisjoint(fault.types))
            )
        )

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        # Every matching fault counts the request, so that `nth` means the same for all of them.
        hit = [fault for fault in self._ordered if matches(fault) and fault.hits()]
        self._ordered = [fault for fault in self._ordered if not fault.is_spent]
        return hit[0] if hit else None


def _parse(order: Mapping[str, Any]) -> Fault:
    fields = {**order, **dict(order.get("match") or {})}
    fields.pop("match", None)
    kind = fields.get("kind")
    if kind not in REQUEST_KINDS | WEBHOOK_KINDS:
        raise ValueError(f"kind must be one of {sorted(REQUEST_KINDS | WEBHOOK_KINDS)}: {kind!r}")
    unknown = fields.keys() - (Fault.__dataclass_fields__.keys() - {"seen"})
    if unknown:
        raise ValueError(f"unknown fields in a fault: {sorted(unknown)}")
    if fields.get("method"):
        fields["method"] = str(fields["method"]).upper()
    fault = Fault(**fields)
    _check(fault)
    return fault


def _check(fault: Fault) -> None:
    try:
        re.compile(fault.path_regex)
    except re.error as error:
        raise ValueError(f"path_regex is not a regular expression: {error}") from None
    if fault.nth < 1 or fault.times < 1 or fault.copies < 1:
        raise ValueError("nth, times and copies count from 1")
    if fault.delay_s < 0 or fault.delay_real_s < 0:
        raise ValueError("a delay cannot be negative")
