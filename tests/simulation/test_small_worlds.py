"""Two hundred small worlds: no money is lost or taken twice; the same seed is the same world."""

import pytest

from tests.simulation.database import SimDatabase
from tests.simulation.world import simulate

WORLDS = 200
AT_A_TIME = 4


@pytest.mark.timeout(300)  # a busy machine needs longer than other tests may
@pytest.mark.parametrize("first", range(0, WORLDS, AT_A_TIME))
def test_nothing_is_lost_and_nobody_pays_twice(sim: SimDatabase, first: int) -> None:
    for seed in range(first, first + AT_A_TIME):
        world = simulate(sim, seed)
        assert not world.wrongs, "\n".join([*world.lines, f"again: make simulate SEED={seed}"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [6, 7])
def test_the_same_seed_is_the_same_world(sim: SimDatabase, seed: int) -> None:
    assert simulate(sim, seed).lines == simulate(sim, seed).lines
