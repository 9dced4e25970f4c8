"""Each test has a Stripe of its own."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.stripe_world import StripeWorld, stripe_world


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with stripe_world() as world:
        yield world
