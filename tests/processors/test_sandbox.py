"""The sandbox processor's adapter against the contract, over real HTTP."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.processors.contract import ChargeContract, MethodContract
from tests.processors.dispute_contract import DisputeContract
from tests.processors.refund_contract import RefundContract
from tests.processors.sandbox_stage import SandboxStage, sandbox_stage
from tests.processors.webhook_contract import WebhookContract
from twintill.processors.sandbox.currencies import EXPONENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theatre() -> AsyncIterator[SandboxStage]:
    async with sandbox_stage() as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(theatre: SandboxStage) -> SandboxStage:
    await theatre.clear()
    return theatre


class TestCharges(ChargeContract):
    pass


class TestMethods(MethodContract):
    pass


class TestRefunds(RefundContract):
    pass


class TestDisputes(DisputeContract):
    pass


class TestWebhooks(WebhookContract):
    pass


async def test_the_adapter_counts_as_the_processor_says(stage: SandboxStage) -> None:
    account = (await stage.admin.get("/v1/account")).json()
    assert account["exponents"] == EXPONENTS
