"""/v1/operations: what is parked is seen, tried again by one call, and only by who may."""

import httpx
import pytest

from tests.web.conftest import SCOPE, new_key
from twintill.flows.means import Means
from twintill.store import operations


@pytest.fixture
async def parked(means: Means) -> None:
    """Two that wait for a person, and one that does not."""
    for n in range(3):
        async with means.database.begin() as db:
            its = {"kind": "follow_on", "customer_id": "cus_1", "step": "item", "data": {}}
            await operations.add(db, SCOPE, operation_id=f"op_{n}", **its)  # type: ignore[arg-type]
            claimed = await operations.claim(db, SCOPE, f"op_{n}")
            assert claimed is not None
            if n:
                await operations.park(db, claimed.lease, "Not now.")


@pytest.mark.usefixtures("parked")
async def test_parked_operations_are_listed_newest_first(
    client: httpx.AsyncClient, means: Means
) -> None:
    client.headers.update(await new_key(means, "read"))
    first = (await client.get("/v1/operations/parked", params={"limit": 1})).json()
    assert [(o["id"], o["step"], o["why"]) for o in first["data"]] == [("op_2", "item", "Not now.")]
    behind = {"starting_after": "op_2"}
    rest = (await client.get("/v1/operations/parked", params=behind)).json()
    assert ([o["id"] for o in rest["data"]], rest["has_more"]) == (["op_1"], False)


@pytest.mark.usefixtures("parked")
async def test_one_call_puts_it_back_to_work(client: httpx.AsyncClient, means: Means) -> None:
    client.headers.update(await new_key(means, "admin"))
    again = await client.post("/v1/operations/op_1/replay")
    assert (again.status_code, again.json()["state"]) == (200, "new"), again.text
    async with means.database.begin() as db:
        claimed = await operations.claim(db, SCOPE, "op_1")
    assert claimed is not None
    assert claimed.operation.data == {"failures": 0, "answered": True, "key_n": 1}
    assert (await client.post("/v1/operations/op_1/replay")).status_code == 404


@pytest.mark.usefixtures("parked")
async def test_reading_alone_may_not_replay(client: httpx.AsyncClient, means: Means) -> None:
    client.headers.update(await new_key(means, "read"))
    assert (await client.post("/v1/operations/op_1/replay")).status_code == 403
