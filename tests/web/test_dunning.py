"""A customer's own policy, and what a payment shows of dunning."""

from datetime import timedelta
from typing import Any

import httpx

from tests.web.conftest import SCOPE
from tests.web.test_reading import add_payment
from twintill.domain.facts import (
    Answered,
    ChargeStarted,
    Via,
)
from twintill.domain.facts import Method as Paying
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import Declined, DeclineKind
from twintill.flows.learn import learn
from twintill.flows.means import Means
from twintill.ids import payment_id
from twintill.store import clock, methods

POLICY = "/v1/customers/cus_1/policy"
PAYMENT = payment_id(SCOPE, "in_01")


async def add_method(means: Means, token: str) -> str:
    new = methods.NewMethod(
        setup_session_id=token,
        customer_id="cus_1",
        processor="sandbox",
        processor_account_id="acct_sandbox",
        processor_customer_id="c_1",
        token=token,
        kind="card",
        display={},
    )
    async with means.database.begin() as db:
        return await methods.add(db, means.vault, SCOPE, new)


async def decline(means: Means, n: int, method_id: str, kind: DeclineKind) -> None:
    async with means.database.begin() as db:
        due_at = await clock.now(db) + timedelta(days=30)
    look = InvoiceLook(
        "in_01", InvoiceStatus.OPEN, "EUR", 1900, 0, 1900, "send_invoice", False, due_at
    )
    paying = Paying(method_id, "sandbox", "acct_sandbox")
    start = ChargeStarted(look, paying, n, f"tw-{n}", f"key-{n}", f"att_{n}", b"x")
    assert (await learn(means, SCOPE, PAYMENT, start)).send is not None
    no = Answered(f"att_{n}", Declined(kind, "no"), Via.FIRST)
    await learn(means, SCOPE, PAYMENT, no)


async def dunning(api: httpx.AsyncClient) -> dict[str, Any]:
    shown = (await api.get(f"/v1/payments/{PAYMENT}")).json()
    found: dict[str, Any] = shown["dunning"]
    assert found["next_try_at"] in (None, shown["next_look_at"])
    return found


async def test_a_payment_shows_its_next_try_and_why(api: httpx.AsyncClient, means: Means) -> None:
    await add_payment(means, 1)
    method = await add_method(means, "tok_1")
    await decline(means, 1, method, DeclineKind.SOFT)
    shown = await dunning(api)
    assert (shown["next_payment_method"], shown["reason"]) == (method, "retry")
    assert shown["next_try_at"] is not None
    assert shown["next_try_at"] < shown["last_try_before"]
    assert shown["methods"] == [
        {
            "payment_method": method,
            "tries": 1,
            "tries_allowed": 4,
            "may_be_charged_at": shown["next_try_at"],
            "reason": "retry",
        }
    ]


async def test_each_method_has_tries_of_its_own_and_a_reason(
    api: httpx.AsyncClient, means: Means
) -> None:
    await add_payment(means, 1)
    second = await add_method(means, "tok_2")
    first = await add_method(means, "tok_1")
    await decline(means, 1, first, DeclineKind.HARD)
    shown = await dunning(api)
    assert (shown["next_payment_method"], shown["reason"]) == (second, "other_method")
    tries = [(m["payment_method"], m["tries"], m["reason"]) for m in shown["methods"]]
    assert tries == [(first, 1, "declined_for_good"), (second, 0, "ready")]
    async with means.database.begin() as db:
        await methods.mark_revoked(db, SCOPE, first)
    shown = await dunning(api)
    tries = [(m["payment_method"], m["tries"], m["reason"]) for m in shown["methods"]]
    assert tries == [(second, 0, "ready"), (first, 1, "no_method")]


async def test_when_nothing_follows_it_says_why(api: httpx.AsyncClient, means: Means) -> None:
    await add_payment(means, 1)
    method = await add_method(means, "tok_1")
    await decline(means, 1, method, DeclineKind.FRAUD)
    shown = await dunning(api)
    assert (shown["next_try_at"], shown["next_payment_method"]) == (None, None)
    assert (shown["reason"], shown["when_exhausted"]) == ("suspected_fraud", "leave_open")


async def test_a_customer_may_have_a_policy_of_his_own(
    api: httpx.AsyncClient, means: Means
) -> None:
    await add_payment(means, 1)
    as_account = (await api.get(POLICY)).json()
    assert as_account["overrides"] == {}
    assert as_account["policy"]["retry_pauses"] == ["P1D", "P3D", "P5D"]
    own = {"retry_pauses": ["P2D"], "exhausted": "cancel_subscription", "refund_stranded": False}
    put = await api.put(POLICY, json=own)
    assert put.status_code == 200, put.text
    assert put.json() == (await api.get(POLICY)).json()
    assert put.json()["overrides"] == own
    assert put.json()["policy"] == as_account["policy"] | own
    assert (await api.put(POLICY, json={})).json() == as_account


async def test_what_a_rule_forbids_is_refused_and_changes_nothing(
    api: httpx.AsyncClient, means: Means
) -> None:
    await add_payment(means, 1)
    await api.put(POLICY, json={"due_margin": "P2D"})
    for body, param in (
        ({"retry_pauses": ["PT5H"]}, "retry_pauses"),
        ({"retry_gap_min": "PT23H"}, "retry_gap_min"),
        ({"retry_pauses": ["P1D"] * 15}, "retry_pauses"),
        ({"exhausted": "shout"}, "exhausted"),
        ({"retry_span": "soon"}, "retry_span"),
    ):
        refused = await api.put(POLICY, json=body)
        assert refused.status_code == 400, body
        assert (refused.json()["code"], refused.json()["param"]) == ("policy_refused", param)
    assert (await api.put(POLICY, json={"replay_share": 0.1})).status_code in (400, 422)
    assert (await api.get(POLICY)).json()["overrides"] == {"due_margin": "P2D"}


async def test_an_unknown_customer_has_none(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/customers/cus_x/policy")).status_code == 404
    assert (await api.put("/v1/customers/cus_x/policy", json={})).status_code == 404
