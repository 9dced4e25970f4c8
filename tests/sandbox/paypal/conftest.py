"""One stand-in PayPal for all tests of a module, emptied before each."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.sandbox.paypal.merchant import Merchant, merchant_of_a_stand_in


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_stand_in() -> AsyncIterator[Merchant]:
    async with merchant_of_a_stand_in() as merchant:
        yield merchant


@pytest_asyncio.fixture(loop_scope="module")
async def merchant(running_stand_in: Merchant) -> Merchant:
    await running_stand_in.clear()
    return running_stand_in
