"""Faults that a test orders from a sandbox: requests and webhooks lost, late, doubled or refused.

A fault is JSON, the same for every sandbox:

    {"kind": "timeout_after",
     "match": {"method": "POST", "path_regex": "^/v1/charges$", "nth": 1, "times": 1}}
    {"kind": "status", "status": 500, "body": {...}, "when": "after", "match": {...}}
    {"kind": "webhook_drop", "types": ["charge.succeeded"], "times": 1}

`nth` is the first matching request that is hit, `times` how many from there on (null: all).
`before` means that the sandbox did nothing; `after` that it acted and only the answer is lost.
A `status` fault with `when: after` replaces the answer by any status and body, also a wrong 2xx.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
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
    types: tuple[str, ...] = ()  # of webhook events; empty: any
    nth: int = 1
    times: int | None = 1
    when: str = "before"  # for `status`: before or after the sandbox acted
    status: int = 500
    body: Any = None  # JSON, or a string that is sent as it is
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 1.0
    seen: int = 0

    def hits(self) -> bool:
        """Counts one more match and answers whether this one is hit."""
        self.seen += 1
        return self.seen >= self.nth and not self._is_past(self.seen)

    def is_spent(self) -> bool:
        return self._is_past(self.seen + 1)

    def _is_past(self, count: int) -> bool:
        return self.times is not None and count >= self.nth + self.times


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

    def take_for_webhook(self, event_types: Collection[str]) -> Fault | None:
        """The fault that hits a delivery of events of these types."""
        return self._take(
            lambda fault: (
                fault.kind in WEBHOOK_KINDS
                and (not fault.types or not set(fault.types).isdisjoint(event_types))
            )
        )

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        # Every matching fault counts the request, so that `nth` means the same for all of them.
        hit = [fault for fault in self._ordered if matches(fault) and fault.hits()]
        self._ordered = [fault for fault in self._ordered if not fault.is_spent()]
        return hit[0] if hit else None


def _parse(order: Mapping[str, Any]) -> Fault:
    fields = {**order, **dict(order.get("match") or {})}
    fields.pop("match", None)
    kind = fields.get("kind")
    if kind not in REQUEST_KINDS | WEBHOOK_KINDS:
        raise ValueError(
            f"kind must be one of {sorted(REQUEST_KINDS | WEBHOOK_KINDS)}, not {kind!r}"
        )
    unknown = fields.keys() - (Fault.__dataclass_fields__.keys() - {"seen"})
    if unknown:
        raise ValueError(f"unknown fields in a fault: {sorted(unknown)}")
    fields["types"] = tuple(fields.get("types") or ())
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
    if fault.nth < 1 or (fault.times is not None and fault.times < 1):
        raise ValueError("nth and times count from 1")
    if fault.when not in ("before", "after"):
        raise ValueError('when is "before" or "after"')
    if fault.delay_s < 0:
        raise ValueError("delay_s cannot be negative")
