"""What the sandbox processor is told at its start."""

from dataclasses import dataclass, field

_RETRIES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class ProcessorSandboxSettings:
    """Times ending in `_s` for webhooks and slow answers are real; all others are the clock's."""

    api_key: str = field(repr=False)
    webhook_url: str | None = None
    webhook_secret: str = field(default="", repr=False)
    public_url: str | None = None  # how browsers reach it; None: as the API's caller does
    account_id: str = "acct_sandbox"

    setup_ttl_s: int = 3600
    action_ttl_s: int = 24 * 3600
    key_window_s: int = 24 * 3600
    debit_days: float = 2  # from accepted to confirmed or failed
    debit_final_days: float = 5  # from confirmed to final
    debit_late_failure_days: float = 3  # from confirmed to failed after all
    debit_submission_days: float | None = None  # from then on it cannot be canceled; None: never
    mandate_submission_days: float | None = None  # of a bank debit's method; None: active at once
    mandate_days: float = 3  # from chosen to active, where it is submitted
    refund_days: float = 1  # of refunds that are not immediate
    business_days: bool = False  # days of bank debits and payouts skip Saturday and Sunday

    fee_basis_points: int = 0  # of every charge, with the next one booked as its own movement
    fee_fixed_minor: int = 0
    dispute_fee_minor: int = 0
    payout_days: float | None = None  # from one sweep of the balance to the next; None: never

    most_per_page: int = 100  # of any list, whatever is asked for
    tick_interval_s: float = 0.05
    slow_answer_s: float = 3.0
    webhook_timeout_s: float = 10.0
    webhook_retries_s: tuple[float, ...] = _RETRIES_S  # the last one repeats
    webhook_attempts: int = 1000
    webhook_batch: int = 25
    seed: int | None = None  # the same seed makes the same ids

    def __post_init__(self) -> None:
        if not self.api_key:
            raise ValueError("the sandbox processor needs an API key, e.g. sandbox_key_123")
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("a webhook URL needs a secret: deliveries are always signed")
