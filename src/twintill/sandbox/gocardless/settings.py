"""The stand-in's times and fees, as a European merchant of GoCardless knows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twintill.sandbox.gocardless.shapes import CREDITOR
from twintill.sandbox.processor.settings import ProcessorSandboxSettings

_DAY_S = 24 * 3600


def gocardless_settings(access_token: str, **more: Any) -> ProcessorSandboxSettings:
    """`more`: fields of `ProcessorSandboxSettings`, which win."""
    usual = ProcessorSandboxSettings(
        api_key=access_token,
        account_id=CREDITOR,
        setup_ttl_s=7 * _DAY_S,
        key_window_s=30 * _DAY_S,
        business_days=True,
        debit_submission_days=1,
        debit_days=3,
        debit_final_days=1,
        debit_late_failure_days=2,
        mandate_submission_days=0.5,
        mandate_days=2,
        refund_days=2,
        fee_basis_points=100,
        fee_fixed_minor=20,
        payout_days=1,
        most_per_page=500,
        webhook_batch=250,
        webhook_attempts=9,  # the first, and eight more
    )
    return replace(usual, **more)
