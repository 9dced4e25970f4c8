"""The sandbox Stripe's manners: errors, idempotency, pages, expansion, and faults on demand."""

import asyncio
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.stripe_world import DAY_S, HOUR_S, StripeWorld, client

KEY = {"authorization": "Bearer sk_test_1"}


async def post(
    world: StripeWorld, path: str, data: dict[str, Any] | None = None, key: str | None = None
) -> httpx.Response:
    headers = KEY | ({"idempotency-key": key} if key else {})
    return await world.admin.post(path, data=data or {}, headers=headers)


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


async def count(world: StripeWorld) -> int:
    return len((await world.v1.customers.list_async({"limit": 100})).data)


# Keys and calls


async def test_half_a_request_was_never_made(world: StripeWorld) -> None:
    url = httpx.URL(world.url)
    head = "POST /v1/customers HTTP/1.1", "host: x", "authorization: Bearer sk_test_1"
    rest = "idempotency-key: half", "content-length: 20"
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write("\r\n".join((*head, *rest, "", "name=A")).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    whole = await post(world, "/v1/customers", {"name": "Ada"}, key="half")
    assert whole.status_code == 200
    assert await count(world) == 1


@pytest.mark.parametrize("key", ["pk_test_1", "nonsense", "sk_live_1"])
async def test_only_secret_test_keys_open_the_door(world: StripeWorld, key: str) -> None:
    answer = await world.admin.get("/v1/customers", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert error_of(answer)["type"] == "invalid_request_error"


async def test_keys_may_come_as_a_user_name(world: StripeWorld) -> None:
    assert (await world.admin.get("/v1/account", auth=("rk_test_1", ""))).status_code == 200


async def test_without_a_key_the_client_gets_an_authentication_error(world: StripeWorld) -> None:
    http = stripe.HTTPXClient()
    with pytest.raises(stripe.AuthenticationError):
        await client(world.url, http, "pk_x").v1.customers.list_async()
    await http.close_async()  # type: ignore[no-untyped-call]


async def test_the_account_says_who_it_is(world: StripeWorld) -> None:
    account = await world.v1.accounts.retrieve_current_async()
    assert account.id == "acct_1TwintillSandbox"
    assert (await world.v1.tax.settings.retrieve_async()).status == "active"


async def test_a_call_that_is_not_implemented_is_named(world: StripeWorld) -> None:
    answer = await post(world, "/v1/checkout/sessions")
    assert answer.status_code == 501
    assert (
        error_of(answer)["message"] == "the sandbox does not implement POST /v1/checkout/sessions"
    )


async def test_every_answer_has_a_request_id(world: StripeWorld) -> None:
    answers = [
        await world.admin.get("/v1/account", headers=KEY),
        await post(world, "/v1/nothing"),
        await world.admin.get("/v1/account"),
    ]
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == 3
    assert all(request_id.startswith("req_") for request_id in ids)


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ({"colour": "blue"}, "parameter_unknown", "colour"),
        ({"address[planet]": "Mars"}, "parameter_unknown", "address[planet]"),
        ({"balance": "1.5"}, "parameter_invalid_integer", "balance"),
        ({"tax_exempt": "maybe"}, None, "tax_exempt"),
        ({"metadata": "x"}, None, "metadata"),
        ({"name[first]": "Ada"}, None, "name"),
        ({"metadata[k]": "v" * 501}, None, "metadata[k]"),
    ],
)
async def test_wrong_parameters_are_named(
    world: StripeWorld, data: dict[str, str], code: str | None, param: str
) -> None:
    answer = await post(world, "/v1/customers", data)
    assert answer.status_code == 400
    assert (error_of(answer).get("code"), error_of(answer)["param"]) == (code, param)
    assert await count(world) == 0


async def test_a_missing_parameter_is_named(world: StripeWorld) -> None:
    answer = await post(world, "/v1/subscriptions", {"items[0][price]": "price_1"})
    assert error_of(answer)["code"] == "parameter_missing"
    assert error_of(answer)["param"] == "customer"


async def test_what_is_not_there_is_404_in_the_path_and_400_in_a_parameter(
    world: StripeWorld,
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as in_path:
        await world.v1.invoices.retrieve_async("in_x")
    assert (in_path.value.http_status, in_path.value.code) == (404, "resource_missing")
    assert in_path.value.user_message == "No such invoice: 'in_x'"
    with pytest.raises(stripe.InvalidRequestError) as in_parameter:
        await world.v1.invoices.create_async({"customer": "cus_x"})
    assert (in_parameter.value.http_status, in_parameter.value.param) == (400, "customer")


async def test_a_version_before_basil_is_refused(world: StripeWorld) -> None:
    headers = KEY | {"stripe-version": "2024-06-20"}
    assert (await world.admin.get("/v1/customers", headers=headers)).status_code == 400


# Idempotency


async def test_a_repeated_key_gets_the_first_answer_again(world: StripeWorld) -> None:
    first = await post(world, "/v1/customers", {"name": "Ada"}, key="k1")
    again = await post(world, "/v1/customers", {"name": "Ada"}, key="k1")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert await count(world) == 1


async def test_a_key_with_other_parameters_is_refused(world: StripeWorld) -> None:
    await world.v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "k1"})
    with pytest.raises(stripe.IdempotencyError):
        await world.v1.customers.create_async({"name": "Bob"}, {"idempotency_key": "k1"})


async def test_refusals_of_an_executed_call_are_kept_too(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    path, data = f"/v1/invoices/{invoice.id}/pay", {"paid_out_of_band": "true"}
    await post(world, path, data)
    first = await post(world, path, data, key="k1")
    again = await post(world, path, data, key="k1")
    assert (first.status_code, again.headers["idempotent-replayed"]) == (400, "true")


async def test_what_failed_validation_leaves_its_key_free(world: StripeWorld) -> None:
    assert (await post(world, "/v1/customers", {"x": "1"}, key="k1")).status_code == 400
    assert (await post(world, "/v1/customers", {"name": "Ada"}, key="k1")).status_code == 200


async def test_keys_are_forgotten_after_a_day(world: StripeWorld) -> None:
    await post(world, "/v1/customers", key="k1")
    await world.advance(DAY_S)
    await post(world, "/v1/customers", key="k1")
    assert await count(world) == 2


async def test_a_stored_500_is_given_again(world: StripeWorld) -> None:
    await world.fault(kind="status", method="POST", code=500, path_regex="^/v1/customers$")
    for _ in range(2):
        assert (await post(world, "/v1/customers", key="k1")).status_code == 500
    assert await count(world) == 0
    assert (await post(world, "/v1/customers", key="k2")).status_code == 200


async def test_while_a_call_runs_its_key_is_in_use(world: StripeWorld) -> None:
    await world.fault(kind="delay", delay_real_s=0.3, path_regex="customers")
    slow = asyncio.create_task(post(world, "/v1/customers", key="k1"))
    while not await world.calls():  # noqa: ASYNC110  # the server is asked, not awaited
        await asyncio.sleep(0.01)
    meanwhile = await post(world, "/v1/customers", key="k1")
    assert meanwhile.status_code == 409
    assert error_of(meanwhile)["code"] == "idempotency_key_in_use"
    assert (await slow).status_code == 200
    assert await count(world) == 1


# Pages and expansion


async def test_lists_go_by_pages_both_ways(world: StripeWorld) -> None:
    made = [(await world.customer()).id for _ in range(5)][::-1]
    first = await world.v1.customers.list_async({"limit": 2})
    assert ([c.id for c in first.data], first.has_more) == (made[:2], True)
    last = await world.v1.customers.list_async({"limit": 3, "starting_after": made[1]})
    assert ([c.id for c in last.data], last.has_more) == (made[2:], False)
    back = await world.v1.customers.list_async({"limit": 2, "ending_before": made[3]})
    assert ([c.id for c in back.data], back.has_more) == (made[1:3], True)
    everything = await world.v1.customers.list_async({"limit": 2})
    assert [c.id async for c in everything.auto_paging_iter()] == made


async def test_a_page_has_bounds(world: StripeWorld) -> None:
    for wrong in ({"limit": 0}, {"limit": 101}, {"starting_after": "cus_x"}):
        with pytest.raises(stripe.InvalidRequestError):
            await world.v1.customers.list_async(wrong)


async def test_expansion_reaches_through_objects_and_lists(world: StripeWorld) -> None:
    subscription = await world.subscribe(expand=["latest_invoice.payments", "customer"])
    assert subscription.customer.object == "customer"
    assert subscription.latest_invoice.payments.data == []
    invoices = await world.v1.invoices.list_async({"expand": ["data.customer.subscriptions"]})
    assert invoices.data[0].customer.subscriptions.data[0].id == subscription.id
    plain = await world.v1.invoices.retrieve_async(subscription.latest_invoice.id)
    assert "payments" not in plain.to_dict()
    assert isinstance(plain.customer, str)


@pytest.mark.parametrize(
    "path", ["nonsense", "created", "number", "customer.email", "customer.nonsense"]
)
async def test_what_cannot_be_expanded_says_so(world: StripeWorld, path: str) -> None:
    invoice = await world.open_invoice()
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        await world.v1.invoices.retrieve_async(invoice.id, {"expand": [path]})


async def test_expansion_ends_at_four_levels(world: StripeWorld) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="4 levels"):
        await world.subscribe(expand=["latest_invoice.payments.data.payment.payment_intent"])


async def test_amount_paid_off_stripe_comes_only_when_asked_for(world: StripeWorld) -> None:
    invoice = await world.open_invoice()
    asked = await world.v1.invoices.retrieve_async(
        invoice.id, {"expand": ["amount_paid_off_stripe"]}
    )
    assert asked.amount_paid_off_stripe == 0
    assert "amount_paid_off_stripe" not in invoice.to_dict()


async def test_metadata_is_merged_and_cleared(world: StripeWorld) -> None:
    customer = await world.customer(metadata={"a": "1", "b": "2"})

    async def change(metadata: Any) -> dict[str, str]:
        updated = await world.v1.customers.update_async(customer.id, {"metadata": metadata})
        merged: dict[str, str] = updated.metadata.to_dict()
        return merged

    assert await change({"b": "3", "c": "4"}) == {"a": "1", "b": "3", "c": "4"}
    assert await change({"a": ""}) == {"b": "3", "c": "4"}
    assert await change("") == {}


# Faults


async def test_a_time_out_before_acting_leaves_no_trace(world: StripeWorld) -> None:
    await world.fault(kind="timeout_before", match={"method": "POST", "path_regex": "customers"})
    with pytest.raises(httpx.ReadTimeout):
        await world.admin.post("/v1/customers", headers=KEY, timeout=0.2)
    assert await count(world) == 0


async def test_a_time_out_after_acting_can_be_replayed(world: StripeWorld) -> None:
    await world.fault(kind="timeout_after", match={"method": "POST", "path_regex": "customers"})
    headers = KEY | {"idempotency-key": "k1"}
    with pytest.raises(httpx.ReadTimeout):
        await world.admin.post("/v1/customers", headers=headers, timeout=0.2)
    again = await world.admin.post("/v1/customers", headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(world) == 1


@pytest.mark.parametrize(("kind", "made"), [("reset_before", 0), ("reset_after", 1)])
async def test_a_cut_connection_may_have_acted(world: StripeWorld, kind: str, made: int) -> None:
    await world.fault(kind=kind, match={"method": "POST"})
    with pytest.raises(stripe.APIConnectionError):
        await world.customer()
    assert await count(world) == made


async def test_a_fault_strikes_the_nth_call_and_so_many_times(world: StripeWorld) -> None:
    await world.fault(
        kind="status", code=429, match={"path_regex": "customers", "nth": 2, "times": 2}
    )
    statuses = [(await post(world, "/v1/customers")).status_code for _ in range(5)]
    assert statuses == [200, 429, 429, 200, 200]


async def test_a_status_may_hide_that_the_call_was_done(world: StripeWorld) -> None:
    await world.fault(kind="status", code=503, act=True, match={"method": "POST"})
    with pytest.raises(stripe.APIError):
        await world.customer()
    assert await count(world) == 1


async def test_faults_can_be_seen_and_ended(world: StripeWorld) -> None:
    await world.fault(kind="status", times=100)
    assert len((await world.admin.get("/_sandbox/faults")).json()["data"]) == 1
    await world.admin.delete("/_sandbox/faults")
    assert (await post(world, "/v1/customers")).status_code == 200
    wrong = await world.admin.post("/_sandbox/faults", json={"kind": "earthquake"})
    assert wrong.status_code == 400


# What happened


async def test_calls_are_logged(world: StripeWorld) -> None:
    await world.v1.customers.create_async({"metadata": {"a": "1"}}, {"idempotency_key": "k"})
    (call,) = await world.calls()
    assert (call["method"], call["path"], call["status"]) == ("POST", "/v1/customers", 200)
    assert (call["params"], call["idempotency_key"]) == ({"metadata": {"a": "1"}}, "k")
    await world.admin.delete("/_sandbox/requests")
    assert await world.calls() == []


async def test_the_state_shows_what_is_due(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    state = (await world.admin.get("/_sandbox/state")).json()
    assert [s["id"] for s in state["objects"]["subscription"]] == [subscription.id]
    assert {(due["kind"], due["at"]) for due in state["agenda"]} == {
        ("finalize", world.now + HOUR_S),
        ("period_end", world.now + 28 * DAY_S),
    }


async def test_reset_empties_the_account(world: StripeWorld) -> None:
    endpoint = await world.listen()
    await world.customer()
    await world.admin.post("/_sandbox/reset", json={"keep_webhook_endpoints": True})
    assert await count(world) == 0
    kept = await world.v1.webhook_endpoints.list_async()
    assert [e.id for e in kept.data] == [endpoint.id]
    await world.admin.post("/_sandbox/reset", json={})
    assert not (await world.v1.webhook_endpoints.list_async()).data


async def test_the_same_seed_makes_the_same_ids(world: StripeWorld) -> None:
    from tests.sandbox.stripe_world import stripe_world

    async with stripe_world() as other:
        assert (await world.customer()).id == (await other.customer()).id
