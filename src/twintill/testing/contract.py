"""All cases, and the stage under them.

class TestAcme(Contract):
    opened = staticmethod(acme_stage)
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from twintill.testing.charges import ChargeContract
from twintill.testing.disputes import DisputeContract
from twintill.testing.doubts import DoubtContract
from twintill.testing.methods import MethodContract
from twintill.testing.refunds import RefundContract
from twintill.testing.reports import EventListContract, SettlementContract
from twintill.testing.stage import Stage
from twintill.testing.webhooks import WebhookContract


class Contract(
    ChargeContract,
    DoubtContract,
    MethodContract,
    RefundContract,
    DisputeContract,
    WebhookContract,
    EventListContract,
    SettlementContract,
):
    """What every adapter must do. One stage for all cases: it is cleared before each."""

    pytestmark = pytest.mark.asyncio(loop_scope="class")

    @staticmethod
    def opened() -> AbstractAsyncContextManager[Stage]:
        """The stage of one processor: say it in your class."""
        raise TypeError("a contract without a stage: say which one is opened")

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def theatre(cls) -> AsyncIterator[Stage]:
        async with cls.opened() as stage:
            yield stage

    @pytest_asyncio.fixture(loop_scope="class")
    async def stage(self, theatre: Stage) -> Stage:
        await theatre.clear()
        return theatre
