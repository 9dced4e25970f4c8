"""What the stand-in PayPal is told at its start."""

from dataclasses import dataclass

from twintill.sandbox.processor import ProcessorSandboxSettings


@dataclass(frozen=True, slots=True)
class PayPalSandboxSettings(ProcessorSandboxSettings):
    """As the sandbox processor's; `api_key` is the client secret, `webhook_secret` the webhook id.

    Times are the clock's, but access tokens do not run out by it: business time jumps where the
    merchant's own clock does not. `POST /_sandbox/expire_tokens` ends them.
    """

    client_id: str = "sandbox_client"
    fee_basis_points: int = 299
    fee_fixed_minor: int = 39
    payout_days: float | None = 1
    account_id: str = "SANDBXMERCHNT"  # the merchant's, 13 characters
    setup_ttl_s: int = 3 * 3600  # a setup token lives three hours
    webhook_batch: int = 1
    token_ttl_s: int = 32_400  # as told to the client
    order_window_s: int = 6 * 3600
    vault_window_s: int = 3 * 3600
    payment_window_s: int = 45 * 86_400
    refund_limit_days: int = 180
    reporting_lag_s: int = 3 * 3600  # until a transaction shows in the search
