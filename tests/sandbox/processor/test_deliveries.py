"""Webhooks: signed, batched, repeated until 2xx, and every way to go astray."""

import hashlib
import hmac
import json

import pytest

from tests.sandbox.processor.client import SECRET, Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until(sandbox: Client, deliveries: int) -> None:
    """Until so many arrived; the test's own time-out ends a wait in vain."""
    while len(sandbox.door.bodies) < deliveries:
        await sandbox.tick()


async def test_a_delivery_is_signed_over_time_and_raw_body(sandbox: Client) -> None:
    await sandbox.charge()
    await until(sandbox, 1)
    fields = dict(part.split("=") for part in sandbox.door.signatures[0].split(","))
    signed = fields["t"].encode() + b"." + sandbox.door.bodies[0]
    assert fields["v1"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_what_happens_together_is_delivered_together(sandbox: Client) -> None:
    method = await sandbox.method("debit_ok")
    for n in range(30):
        await sandbox.try_charge(method, reference=f"ref-{n}")
    await sandbox.tick()
    sandbox.door.bodies.clear()
    await sandbox.pass_days(2)
    sizes = [len(json.loads(body)["events"]) for body in sandbox.door.bodies]
    assert sorted(sizes) == [5, 25]


async def test_a_delivery_is_repeated_until_it_is_taken(sandbox: Client) -> None:
    sandbox.door.answers += [500, 404, 302]
    await sandbox.method("card_ok")
    await until(sandbox, 4)
    first = json.loads(sandbox.door.bodies[0])
    assert all(json.loads(body)["events"] == first["events"] for body in sandbox.door.bodies)
    assert all(json.loads(body)["id"] == first["id"] for body in sandbox.door.bodies)


async def test_a_dropped_event_never_comes_but_can_be_listed(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_drop", types=["charge.succeeded"])
    await sandbox.charge(reference="ref-1")
    await sandbox.charge(reference="ref-2")
    await sandbox.tick()
    assert sandbox.door.types().count("charge.succeeded") == 1
    listed = (await sandbox.get("/v1/events"))["data"]
    assert [event["type"] for event in listed].count("charge.succeeded") == 2


async def test_a_dropped_attempt_comes_again(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_drop", retry=True)
    await sandbox.method("card_ok")
    await until(sandbox, 1)
    assert sandbox.door.types() == ["method.created"]


async def test_a_duplicate_comes_twice_with_the_same_event(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_duplicate", types=["charge.succeeded"], copies=3)
    await sandbox.charge()
    await sandbox.tick()
    ids = [event["id"] for event in sandbox.door.events() if event["type"] == "charge.succeeded"]
    assert len(ids) == 3
    assert len(set(ids)) == 1


async def test_a_delayed_event_waits_for_the_clock(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_delay", delay_s=3600)
    await sandbox.method("card_ok")
    await sandbox.tick()
    assert sandbox.door.types() == []
    await sandbox.pass_days(1)
    assert sandbox.door.types() == ["method.created"]


async def test_reordered_events_come_the_last_one_first(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_reorder", times=3)
    await sandbox.charge("debit_ok")
    await sandbox.pass_days(2)
    assert sandbox.door.types() == ["charge.succeeded", "charge.pending", "method.created"]


async def test_ending_the_faults_releases_what_they_hold(sandbox: Client) -> None:
    await sandbox.admin("faults", kind="webhook_reorder", times=9)
    await sandbox.charge()
    await sandbox.tick()
    assert sandbox.door.types() == []
    await sandbox.http.delete("/_sandbox/faults")
    await sandbox.tick()
    assert sandbox.door.types() == ["charge.succeeded", "method.created"]


async def test_an_endpoint_needs_a_secret(sandbox: Client) -> None:
    order = {"url": "http://127.0.0.1:9/hook"}
    answer = await sandbox.http.post("/_sandbox/webhook_endpoints", json=order)
    assert answer.status_code == 400
