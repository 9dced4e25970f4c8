"""Every operation survives its worker, killed in each of its calls in turn."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.flows.dying import Wire, killed_in_each_call, read
from tests.flows.leaving import with_policy
from tests.flows.one_side import OneSide
from tests.flows.operation_stories import STORIES, Story
from tests.flows.signing_up import PATIENCE_S, telling, work
from tests.flows.test_refunds import is_sound
from tests.flows.world import World, running_world
from tests.postgres import Database
from twintill.domain.switching import KIND as SWITCH
from twintill.flows.operations import KINDS


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def sides() -> OneSide:
    return OneSide()


@pytest.fixture
async def world(database: Database, wire: Wire, sides: OneSide) -> AsyncIterator[World]:
    def watch(app: Any) -> Any:
        return wire.watch(sides.watch(app))

    async with running_world(database, PATIENCE_S, watch) as world:
        yield telling(world)


def test_there_is_a_story_of_every_kind_of_operation() -> None:
    assert {story.kind for story in STORIES.values()} == set(KINDS)


@pytest.mark.parametrize("acts", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_killed_in_each_of_its_calls_another_goes_on(
    world: World, wire: Wire, sides: OneSide, story: Story, acts: bool
) -> None:
    """Before or after the other side did what it was asked to; nobody hears the answer."""
    world = with_policy(world, **story.policy)
    operation_id = await story.begin(world)
    sides.world = world if story.kind == SWITCH else None
    killed = await killed_in_each_call(world, wire, operation_id, story.rests, acts=acts)
    assert len(killed) >= story.calls, killed
    await work(world)
    await story.right(world, await read(world, operation_id))
    assert (sides.both, sides.moments > 0) == ([], story.kind == SWITCH)
    assert await is_sound(world)
