"""Faults on the wire, and the log that counts what was really sent."""

import httpx
import pytest

from tests.sandbox.processor.client import Client
from twintill.sandbox.processor.faults import Faults

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHARGES = {"method": "POST", "path_regex": "^/v1/charges$"}


@pytest.mark.parametrize("kind", ["timeout", "reset"])
@pytest.mark.parametrize(("when", "balance"), [("before", 0), ("after", 1000)])
async def test_a_lost_request_acts_or_not_as_ordered(
    sandbox: Client, kind: str, when: str, balance: int
) -> None:
    method = await sandbox.method("card_ok")
    await sandbox.admin("faults", kind=f"{kind}_{when}", match=CHARGES)
    sandbox.http.timeout = httpx.Timeout(0.3 if kind == "timeout" else 10)
    with pytest.raises(httpx.TransportError):
        await sandbox.try_charge(method, "one key")
    sandbox.http.timeout = httpx.Timeout(10)
    assert await sandbox.balance() == balance
    assert (await sandbox.try_charge(method, "one key")).status_code == 201
    assert await sandbox.balance() == 1000


async def test_a_status_can_come_before_or_after_the_act(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    for act, balance in ((False, 0), (True, 1000)):
        await sandbox.admin("faults", kind="status", code=503, act=act, match=CHARGES)
        assert (await sandbox.try_charge(method)).status_code == 503
        assert await sandbox.balance() == balance


async def test_nth_and_times_choose_the_requests(sandbox: Client) -> None:
    match = {"path_regex": "balance", "nth": 2, "times": 2}
    await sandbox.admin("faults", kind="status", code=500, match=match)
    answers = [await sandbox.http.get("/v1/balance") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 500, 500, 200, 200]


async def test_the_log_holds_also_what_was_never_answered(sandbox: Client) -> None:
    method = await sandbox.method("card_ok")
    await sandbox.admin("faults", kind="reset_before", match=CHARGES)
    with pytest.raises(httpx.TransportError):
        await sandbox.try_charge(method, "one key")
    await sandbox.try_charge(method, "one key")
    log = (await sandbox.http.get("/_sandbox/requests")).json()
    assert [(one["path"], one["idempotency_key"], one["status"]) for one in log] == [
        ("/v1/charges", "one key", None),
        ("/v1/charges", "one key", 201),
    ]
    assert log[1]["body"]["reference"] == "ref-1"


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"kind": "earthquake"},
        {"kind": "delay", "surprise": 1},
        {"kind": "delay", "match": {"path_regex": "("}},
        {"kind": "delay", "nth": 0},
        {"kind": "delay", "times": "twice"},
        {"kind": "delay", "delay_real_s": -1},
    ],
)
async def test_an_order_without_sense_is_refused(sandbox: Client, order: dict[str, object]) -> None:
    assert (await sandbox.http.post("/_sandbox/faults", json=order)).status_code == 400
    assert (await sandbox.http.get("/_sandbox/faults")).json() == []


async def test_every_matching_fault_counts_a_request() -> None:
    faults = Faults()
    faults.add({"kind": "delay", "nth": 1})
    faults.add({"kind": "status", "nth": 2})
    taken = [faults.take_for_request("GET", "/v1/balance") for _ in range(3)]
    assert [fault and fault.kind for fault in taken] == ["delay", "status", None]


async def test_a_reset_forgets_everything(sandbox: Client) -> None:
    await sandbox.charge()
    await sandbox.clear()
    state = (await sandbox.http.get("/_sandbox/state")).json()
    assert state["charges"] == state["methods"] == state["transactions"] == []
    assert state["balances"] == {}
