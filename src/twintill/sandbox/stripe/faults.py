"""Faults on demand: time-outs, cut connections, errors, and webhooks that go astray."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from twintill.errors import TwintillError
from twintill.sandbox.stripe.outbox import Delivery

API_KINDS = ("timeout_before", "timeout_after", "reset_before", "reset_after", "status", "delay")
WEBHOOK_KINDS = ("webhook_drop", "webhook_duplicate", "webhook_delay", "webhook_reorder")


class BadFault(TwintillError):
    """A fault that cannot be understood."""


@dataclass(slots=True)
class Fault:
    """What goes wrong, where, and how often.

    `nth` skips the first n - 1 matching calls; `times` is how many of the following are hit.
    For `status`: `code`, `body`, `act` (do the call's work first) and `store` (keep the answer
    under the idempotency key; by default only 500s are kept, as at Stripe).
    For `delay`: `delay_real_s`. For `webhook_delay`: `delay_s` on the sandbox's clock.
    For `webhook_drop`: `retry` makes it a failed attempt instead of a lost event.
    """

    kind: str
    method: str | None = None
    path_regex: str = ""
    types: list[str] = field(default_factory=list)
    nth: int = 1
    times: int = 1
    code: int = 500
    body: Any = None
    act: bool = False
    store: bool | None = None
    delay_real_s: float = 1.0
    delay_s: int = 60
    retry: bool = False
    copies: int = 2
    seen: int = 0
    hits: int = 0

    @property
    def is_for_webhooks(self) -> bool:
        return self.kind in WEBHOOK_KINDS

    @property
    def keeps_answer(self) -> bool:
        return self.code == 500 if self.store is None else self.store

    def matches_call(self, method: str, path: str) -> bool:
        return self.method in (None, method) and re.search(self.path_regex, path) is not None

    def strikes(self) -> bool:
        """Counts one match; whether this one is hit."""
        self.seen += 1
        if self.seen < self.nth or self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._held: list[Delivery] = []

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Takes a fault as JSON; raises BadFault when it makes no sense."""
        fields = {key: value for key, value in spec.items() if key != "match"}
        fields.update(spec.get("match") or {})
        if fields.get("kind") not in API_KINDS + WEBHOOK_KINDS:
            raise BadFault(f"kind must be one of {', '.join(API_KINDS + WEBHOOK_KINDS)}")
        try:
            fault = Fault(**fields)
            re.compile(fault.path_regex)
        except (TypeError, re.error) as error:
            raise BadFault(str(error)) from error
        self._faults.append(fault)
        return fault

    def clear(self) -> list[Delivery]:
        """Ends all faults; returns the deliveries that were held back."""
        self._faults.clear()
        return self.take_held()

    def listing(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]

    def for_call(self, method: str, path: str) -> Fault | None:
        return next(
            (
                fault
                for fault in self._faults
                if not fault.is_for_webhooks
                and fault.matches_call(method, path)
                and fault.strikes()
            ),
            None,
        )

    def for_webhook(self, type: str) -> Fault | None:
        return next(
            (
                fault
                for fault in self._faults
                if fault.is_for_webhooks
                and (not fault.types or type in fault.types)
                and fault.strikes()
            ),
            None,
        )

    def hold(self, delivery: Delivery, fault: Fault) -> list[Delivery]:
        """Keeps a delivery back; once all `times` are here, returns them, the last one first."""
        self._held.append(delivery)
        return self.take_held() if fault.hits >= fault.times else []

    def take_held(self) -> list[Delivery]:
        held, self._held = self._held[::-1], []
        return held
