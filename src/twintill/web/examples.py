"""Examples beside the shapes that they show; a test holds each of them against its shape."""

from typing import Any

from pydantic import ConfigDict


def shown(**example: Any) -> ConfigDict:
    """`model_config = shown(id="pay_...")`: what nested shapes show already is left out."""
    return ConfigDict(json_schema_extra={"examples": [example]})


PAYMENT_STUB = shown(
    id="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70", state="reported", reason=None, needs_person=None
)
AN_INVOICE: dict[str, Any] = {
    "id": "in_1PgafmB7WZ01zgkW6dKueIc5",
    "livemode": False,
    "customer": "cus_QXg1o8vcGmoR32",
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "number": "A1B2-0001",
    "status": "paid",
    "collection_method": "send_invoice",
    "billing_reason": "subscription_cycle",
    "currency": "eur",
    "amount_due": 4900,
    "amount_paid": 4900,
    "amount_remaining": 0,
    "total": 4900,
    "due_date": 1797844800,
    "finalized_at": 1795252860,
    "created": 1795252800,
    "seen": 1795252860,
    "stale": False,
}
INVOICE = shown(**AN_INVOICE)
PAYMENT = shown(
    id="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    livemode=False,
    invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
    customer="cus_QXg1o8vcGmoR32",
    currency="eur",
    state="reported",
    reason=None,
    needs_person=None,
    collected=4900,
    reported=4900,
    stranded=0,
    refunded=0,
    limit=None,
    due_date=1797844800,
    next_look_at=None,
    created=1795252800,
    ended_at=1795252860,
)
ATTEMPT = shown(
    id="att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
    kind="charge",
    n=1,
    payment_method="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
    processor="sandbox",
    processor_account="acct_sandbox",
    amount=4900,
    currency="eur",
    reference="tw-mfzwizdtmvrxgzlbmf3gc4tb-1",
    outcome="approved",
    finality="final",
    processor_payment="chg_7f3k2",
    decline_kind=None,
    code=None,
    detail=None,
    action_url=None,
    sendings=1,
    asked=0,
    first_sent_at=1795252830,
    answered_at=1795252831,
    expected_at=None,
)
RECEIPT = shown(
    id="rcp_3c7f6a0c9f0f5c7d8f1b2a3c4d5e6f72",
    source="attempt",
    attempt="att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
    processor_account="acct_sandbox",
    currency="eur",
    finality="final",
    collected=4900,
    reported=4900,
    stranded=0,
    refunded=0,
    settled=4900,
    failed=False,
    collected_at=1795252831,
)
HISTORY = shown(
    seq=3,
    at=1795252831,
    fact="Answered",
    detail={"outcome": {"is": "Approved"}},
    state_before="charging",
    state_after="collected",
    reason_after=None,
    attempt="att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
    actor="twintill",
)
POSTING = shown(
    account="processor:acct_sandbox:clearing",
    currency="eur",
    amount=4900,
    receipt="rcp_3c7f6a0c9f0f5c7d8f1b2a3c4d5e6f72",
)
LEDGER_TRANSACTION = shown(
    id="ltx_5e7f6a0c9f0f5c7d8f1b2a3c4d5e6f73",
    kind="collected",
    cause="collected:att_2b7f6a0c",
    at=1795252831,
)
METHOD_TRIES = shown(
    payment_method="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
    tries=0,
    tries_allowed=4,
    may_be_charged_at=1795252800,
    reason="ready",
)
DUNNING = shown(
    next_try_at=None,
    next_payment_method=None,
    reason=None,
    last_try_before=1797801600,
    when_exhausted="leave_open",
)
COMPLETE_PARAMS = shown(
    setup_session="ses_7f3k2",
    address={"country": "DE", "postal_code": "10115"},
    ip_address="203.0.113.7",
)
METHOD_PARAMS = shown(return_url="https://app.example/account")
FIRST_INVOICE = shown(id="in_1PgafmB7WZ01zgkW6dKueIc5", amount_due=4900, currency="eur", final=4900)
CHECKOUT_STUB = shown(
    id="chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
    url="https://pay.example.com/checkout/chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
    expires_at=1795339200,
)
SIGNUP = shown(
    id="sgn_4Yk9n2bT7xQz1LmN8vRc3WpD",
    livemode=False,
    created=1795252800,
    state="checkout_open",
    access_granted_at=None,
    customer="cus_QXg1o8vcGmoR32",
    subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    metadata={"user": "7"},
    failure=None,
)
CHECKOUT = shown(
    id="chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
    livemode=False,
    purpose="signup",
    state="open",
    url="https://pay.example.com/checkout/chk_4Yk9n2bT7xQz1LmN8vRc3WpD",
    customer="cus_QXg1o8vcGmoR32",
    signup="sgn_4Yk9n2bT7xQz1LmN8vRc3WpD",
    subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
    payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    payment_method=None,
    currency="eur",
    amount_shown=4900,
    amount_final=None,
    amount_agreed=None,
    processor="sandbox",
    problem=None,
    expires_at=1795339200,
    completed_at=None,
)
PAYMENT_METHOD = shown(
    id="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
    livemode=False,
    customer="cus_QXg1o8vcGmoR32",
    processor="sandbox",
    processor_account="acct_sandbox",
    type="card",
    display={"brand": "visa", "last4": "4242"},
    status="active",
    default=True,
    expires_at=1893456000,
    expiring=False,
    created=1795252800,
    removed_at=None,
)
CUSTOMER = shown(
    id="cus_QXg1o8vcGmoR32",
    livemode=False,
    default_payment_method="pm_4Yk9n2bT7xQz1LmN8vRc3WpD",
    subscriptions=["sub_1PgafmB7WZ01zgkWcn5Zr0ZI"],
    deleted=False,
    created=1795252800,
)

FOLLOW_ON = shown(
    id="op_4Yk9n2bT7xQz1LmN8vRc3WpD",
    why="rest",
    amount=1900,
    currency="eur",
    invoice="in_1PgbgnB7WZ01zgkWq3Xn8Tsa",
    payment="pay_2c7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
    needs_person=None,
)
CREDIT_NOTE = shown(
    id="cn_1PgchiB7WZ01zgkWd2Lm7Rzx",
    purpose="given_back",
    state="made",
    amount=1900,
    out_of_band_amount=1900,
    detail=None,
    created=1795339200,
)
REFUND = shown(
    id="rfd_4Yk9n2bT7xQz1LmN8vRc3WpD",
    livemode=False,
    payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    amount=1900,
    currency="eur",
    state="done",
    why="Ordered by mistake",
    asked_by="api:shop backend",
    processor_refund="rfn_7f3k2",
    outcome="approved",
    detail=None,
    created=1795339200,
)
RESOLVE_PARAMS = shown(charged="chg_7f3k2", why="it is in the processor's own list")
DISPUTE = shown(
    id="dsp_0f9d2a7c51e45d4c9a1b2c3d4e5f6071",
    livemode=False,
    payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    receipt="rct_5a2f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    processor="sandbox",
    processor_dispute="dsp_7f3k2",
    amount=4900,
    currency="eur",
    stage="opened",
    withheld=True,
    fee=1500,
    reason="fraudulent",
    created=1795339200,
)
SETTLEMENT = shown(
    id="stl_8c1f9d2a7c51e45d4c9a1b2c3d4e5f60",
    livemode=False,
    processor="sandbox",
    processor_account="acct_sandbox",
    line="txn_7f3k2",
    kind="charge",
    raw_type="charge",
    amount=4900,
    fee=120,
    currency="eur",
    whose="ours",
    payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    attempt="att_2b7f6a0c9f0f5c7d8f1b2a3c4d5e6f71",
    dispute=None,
    processor_payment="chg_7f3k2",
    payout="po_7f3k2",
    not_booked=None,
    changed=None,
    created=1795339200,
    read_at=1795425600,
)
SHOWN_NOW = shown(kind="charge", amount=4900, fee=150, currency="eur")
PAYOUT = shown(
    id="stl_9d1f9d2a7c51e45d4c9a1b2c3d4e5f61",
    livemode=False,
    processor="sandbox",
    processor_account="acct_sandbox",
    payout="po_7f3k2",
    amount=4780,
    fee=0,
    currency="eur",
    lines=1,
    lines_amount=4780,
    adds_up=True,
    by_kind={"charge": 4900, "fee": -120},
    created=1795339200,
)
CLEARING = shown(
    processor_account="acct_sandbox",
    currency="eur",
    clearing=4900,
    payments=9800,
    fees=-120,
    payouts=-4780,
    held=0,
    suspense=0,
    not_shown=4900,
    not_booked=0,
)
