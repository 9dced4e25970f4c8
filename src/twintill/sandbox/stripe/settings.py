"""How the sandbox Stripe behaves where the real one has settings or schedules of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

API_VERSION = "2026-10-28.endive"
HOUR_S = 3600
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class StripeSandboxSettings:
    """Times ending in _s run on the sandbox's clock, those ending in _real_s on the wall's."""

    seed: int | None = None
    """With a seed the ids are the same in every run (so keep one database per run)."""

    account_id: str = "acct_1TwintillSandbox"
    account_country: str = "DE"
    account_name: str = "Twintill Sandbox"
    default_currency: str = "eur"
    api_version: str = API_VERSION

    draft_period_s: int = HOUR_S
    """How long after the last 2xx to `invoice.created` a draft finalizes by itself."""
    finalize_anyway_after_s: int = 72 * HOUR_S
    later_action: Literal["none", "cancel", "unpaid"] = "none"
    """What becomes of a subscription that stays past due: the Dashboard's setting."""
    later_action_after_s: int = 30 * DAY_S
    payment_retries_s: tuple[int, ...] = (3 * DAY_S, 5 * DAY_S, 7 * DAY_S)
    incomplete_expires_after_s: int = 23 * HOUR_S

    webhook_timeout_real_s: float = 10.0
    webhook_retries_s: tuple[int, ...] = (60, 300, 1800, 2 * HOUR_S, 5 * HOUR_S, 10 * HOUR_S) + (
        12 * HOUR_S,
    ) * 4
    webhook_fast_retry_real_s: float | None = None
    """Set, a failed delivery is also retried by the wall's clock: after this long, then twice..."""
    webhook_concurrency: int = 16
    reorder_hold_real_s: float = 2.0

    idempotency_kept_s: int = DAY_S
    events_kept_s: int = 30 * DAY_S
    engine_interval_real_s: float = 0.05
    hang_limit_real_s: float = 300.0
    """The longest that an injected time-out keeps a connection open."""
    request_log_size: int = 20_000
    state_file: Path | None = None
