"""Two hundred small worlds: no money is lost or taken twice; the same seed is the same world.

Some of them at each real processor, whose adapter works there above its stand-in.
"""

import pytest

from tests.simulation.database import SimDatabase
from tests.simulation.world import simulate

OF_EACH_REAL_ONE = 8
WORLDS = 200 - 2 * OF_EACH_REAL_ONE
AT_A_TIME = 4
REAL = ("paypal", "gocardless")


@pytest.mark.timeout(300)  # a busy machine needs longer than other tests may
@pytest.mark.parametrize("first", range(0, WORLDS, AT_A_TIME))
def test_nothing_is_lost_and_nobody_pays_twice(sim: SimDatabase, first: int) -> None:
    for seed in range(first, first + AT_A_TIME):
        world = simulate(sim, seed)
        assert not world.wrongs, "\n".join([*world.lines, f"again: make simulate SEED={seed}"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(0, OF_EACH_REAL_ONE, AT_A_TIME))
@pytest.mark.parametrize("name", REAL)
def test_nor_at_a_real_processor(sim: SimDatabase, name: str, first: int) -> None:
    for seed in range(first, first + AT_A_TIME):
        world = simulate(sim, seed, processor=name)
        again = f"again: make simulate PROCESSOR={name} SEED={seed}"
        assert not world.wrongs, "\n".join([*world.lines, again])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "name"), [(6, "sandbox"), (7, "paypal")])
def test_the_same_seed_is_the_same_world(sim: SimDatabase, seed: int, name: str) -> None:
    assert simulate(sim, seed, processor=name).lines == simulate(sim, seed, processor=name).lines
