"""What one customer has otherwise than the account's policy: named dunning fields, as JSON values.

Durations are ISO 8601 (`P1D`, `PT12H`), as in the account's own setting. Only what concerns one
customer's invoices may differ; limits that protect the account or a card network's rule may not.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from twintill.domain.policy import Policy
from twintill.errors import PolicyRefused

OVERRIDABLE = (
    "retry_pauses",
    "retry_span",
    "retry_gap_min",
    "due_margin",
    "exhausted",
    "refund_stranded",
    "failed_after_report",
    "report_when",
    "partial",
    "lost_dispute",
    "dispute_opened",
    "dispute_lost",
    "open_invoices_at_end",
    "revoked",
    "revoked_ask_for",
    "revoked_unanswered",
    "first_payment_failed",
    "first_payment_grace",
)
_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,4})D)?(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?", re.ASCII
)
_PAUSES_MOST = 100  # far beyond every rule: input stays small


def overlay(policy: Policy, overrides: Mapping[str, Any] | None) -> Policy:
    """The policy that holds for this customer. Raises PolicyRefused, naming field and rule."""
    if not overrides:
        return policy
    unknown = sorted(set(overrides) - set(OVERRIDABLE))
    if unknown:
        known = ", ".join(OVERRIDABLE)
        why = f"{unknown[0]}: a customer cannot have this otherwise (only {known})"
        raise PolicyRefused(why, param=unknown[0])
    read = {field: _value(field, given) for field, given in overrides.items()}
    return replace(policy, **read)


def shown(policy: Policy) -> dict[str, Any]:
    """The fields that a customer may have otherwise, as JSON values."""
    return {field: _shown(getattr(policy, field)) for field in OVERRIDABLE}


def _value(field: str, given: Any) -> Any:
    """Read as what the default of this field is."""
    default = getattr(_DEFAULT, field)
    if isinstance(default, timedelta):
        return _duration(field, given)
    if isinstance(default, tuple):
        if not isinstance(given, list) or len(given) > _PAUSES_MOST:
            raise PolicyRefused(f"{field}: a list of ISO 8601 durations", param=field)
        return tuple(_duration(field, one) for one in given)
    if isinstance(default, bool):
        if not isinstance(given, bool):
            raise PolicyRefused(f"{field}: true or false", param=field)
        return given
    return _choice(field, type(default), given)


def _choice(field: str, choices: type[StrEnum], given: Any) -> StrEnum:
    choice = next((choice for choice in choices if choice == given), None)
    if choice is None:
        raise PolicyRefused(f"{field}: one of {', '.join(choices)}", param=field)
    return choice


def _duration(field: str, given: Any) -> timedelta:
    match = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        raise PolicyRefused(f"{field}: an ISO 8601 duration such as P3D or PT12H", param=field)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_shown(one) for one in value]
    if not isinstance(value, timedelta):
        return value
    minutes, seconds = divmod(value.seconds, 60)
    parts = ((minutes // 60, "H"), (minutes % 60, "M"), (seconds, "S"))
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    days = f"{value.days}D" if value.days or not time else ""
    return f"P{days}T{time}" if time else f"P{days}"


_DEFAULT = Policy()
