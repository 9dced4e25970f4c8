"""One sandbox processor for all tests of a module, emptied before each."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.sandbox.processor.client import Client, client_of_a_sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_sandbox() -> AsyncIterator[Client]:
    async with client_of_a_sandbox() as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox(running_sandbox: Client) -> Client:
    await running_sandbox.clear()
    return running_sandbox
