"""Whatever merchants, payers and banks do in whatever order, without HTTP: the books stay true."""

import contextlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.sandbox.gocardless.merchant import START, TOKEN, Json
from twintill.sandbox.gocardless import GoCardless, gocardless_settings
from twintill.sandbox.gocardless.words import CHOICES
from twintill.sandbox.processor import agenda, giving_back, setups
from twintill.sandbox.processor.face import Call, Reply
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.world import World

PICK = st.integers(0, 10**6)
SETTINGS = gocardless_settings(TOKEN, seed=7)
HEADERS = {
    "authorization": f"Bearer {TOKEN}",
    "gocardless-version": "2015-07-06",
    "content-type": "application/json",
}
# What may be told of a payment after what; nothing follows the others.
FOLLOWS: Mapping[str, set[str]] = {
    "": {"created"},
    "created": {"submitted", "cancelled"},
    "submitted": {"confirmed", "failed"},
    "confirmed": {"paid_out", "failed", "charged_back"},
    "paid_out": {"failed", "charged_back"},
    "failed": {"late_failure_settled", "resubmission_requested"},
    "late_failure_settled": {"resubmission_requested"},
    "resubmission_requested": {"submitted", "cancelled", "late_failure_settled"},
    "charged_back": {"chargeback_cancelled", "chargeback_settled"},
    "chargeback_settled": {"chargeback_cancelled"},
    "chargeback_cancelled": {"paid_out", "failed", "charged_back", "chargeback_settled"},
}


class Merchant(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.face = GoCardless()
        self.world = World(SETTINGS, self.face)
        self.now = START
        self.mandates: list[str] = []
        for choice in ("debit_ok", "debit_fails", "debit_fails_late", "debit_charged_back"):
            self.sign_up(choice)

    def ask(self, method: str, path: str, body: Json | None = None, query: str = "") -> Reply:
        agenda.catch_up(self.world, self.now)
        content = b"" if body is None else json.dumps(body).encode()
        reply = self.face.serve(self.world, Call(method, path, query, HEADERS, content), self.now)
        assert reply.status < 500
        return reply

    def list(self, collection: str, query: str = "limit=7") -> list[Json]:
        """All pages of it."""
        rows: list[Json] = []
        after: str | None = ""
        while after is not None:
            page: Any = self.ask("GET", f"/{collection}", query=f"{query}{after}").body
            rows += page[collection]
            cursor = page["meta"]["cursors"]["after"]
            after = None if cursor is None else f"&after={cursor}"
        return rows

    @rule(choice=st.sampled_from(sorted(CHOICES)))
    def sign_up(self, choice: str) -> None:
        made: Any = self.ask(
            "POST",
            "/billing_requests",
            {"billing_requests": {"mandate_request": {"currency": "EUR"}}},
        ).body
        its_id = made["billing_requests"]["id"]
        flow = {"billing_request_flows": {"links": {"billing_request": its_id}}}
        assert self.ask("POST", "/billing_request_flows", flow).status == 201
        setups.complete_setup(self.world, its_id, choice, self.now)
        done: Any = self.ask("GET", f"/billing_requests/{its_id}").body
        self.mandates.append(done["billing_requests"]["links"]["mandate_request_mandate"])

    @rule(mandate=PICK, amount=st.integers(1, 10**6))
    def pay(self, mandate: int, amount: int) -> None:
        order = {
            "amount": amount,
            "currency": "EUR",
            "links": {"mandate": self.mandates[mandate % len(self.mandates)]},
        }
        self.ask("POST", "/payments", {"payments": order})

    @rule(payment=PICK, action=st.sampled_from(["cancel", "retry"]))
    def act(self, payment: int, action: str) -> None:
        self.ask("POST", f"/payments/{self.pick(payment)}/actions/{action}", {})

    @rule(mandate=PICK)
    def cancel_mandate(self, mandate: int) -> None:
        its_id = self.mandates[mandate % len(self.mandates)]
        self.ask("POST", f"/mandates/{its_id}/actions/cancel", {})

    @rule(payment=PICK, amount=st.integers(1, 10**6))
    def refund(self, payment: int, amount: int) -> None:
        its_id = self.pick(payment)
        charge = self.world.charges.get(its_id)
        order = {
            "amount": amount,
            "total_amount_confirmation": amount + (charge.refunded if charge else 0),
            "links": {"payment": its_id},
        }
        self.ask("POST", "/refunds", {"refunds": order})

    @rule(payment=PICK)
    def charge_back(self, payment: int) -> None:
        with contextlib.suppress(Refusal):
            giving_back.open_dispute(self.world, self.pick(payment), None, "x", self.now)

    @rule(dispute=PICK, outcome=st.sampled_from(["won", "lost"]))
    def resolve(self, dispute: int, outcome: str) -> None:
        disputes = list(self.world.disputes)
        with contextlib.suppress(Refusal):
            chosen = disputes[dispute % len(disputes)] if disputes else ""
            giving_back.resolve_dispute(self.world, chosen, outcome, self.now)

    @rule(payment=PICK, scenario=st.sampled_from(["payment_paid_out", "payment_late_failure"]))
    def simulate(self, payment: int, scenario: str) -> None:
        body = {"data": {"links": {"resource": self.pick(payment)}}}
        self.ask("POST", f"/scenario_simulators/{scenario}/actions/run", body)

    @rule(hours=st.integers(0, 24 * 9))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        agenda.catch_up(self.world, self.now)

    def teardown(self) -> None:
        """Seen once, at the end: each list is read page by page."""
        self.a_payout_is_its_items_and_no_line_is_paid_out_twice()
        self.the_balance_is_what_is_not_paid_out()
        self.events_of_a_payment_follow_each_other()
        self.a_payment_never_gives_back_more_than_it_took()

    def a_payout_is_its_items_and_no_line_is_paid_out_twice(self) -> None:
        seen: set[str] = set()
        for payout in self.list("payouts"):
            items = self.list("payout_items", f"limit=7&payout={payout['id']}")
            assert sum(float(item["amount"]) for item in items) == payout["amount"] > 0
            lines = {line.id for line in self.world.payouts[payout["id"]].lines}
            assert not lines & seen
            seen |= lines

    def the_balance_is_what_is_not_paid_out(self) -> None:
        waiting = sum(line.amount for line in self.world.unsettled)
        assert self.world.balances().get("EUR", 0) == waiting

    def events_of_a_payment_follow_each_other(self) -> None:
        last: dict[str, str] = {}
        for event in reversed(self.list("events", "limit=500&resource_type=payments")):
            its_id, action = event["links"]["payment"], event["action"]
            assert action in FOLLOWS[last.get(its_id, "")], (last.get(its_id), action)
            last[its_id] = action

    def a_payment_never_gives_back_more_than_it_took(self) -> None:
        for payment in self.list("payments"):
            assert 0 <= payment["amount_refunded"] <= payment["amount"]

    def pick(self, n: int) -> str:
        charges = list(self.world.charges)
        return charges[n % len(charges)] if charges else "PM0"


TestMerchant = Merchant.TestCase
TestMerchant.settings = settings(max_examples=20, deadline=None)
