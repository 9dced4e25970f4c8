"""What a cancellation is called from outside."""

import pytest

from twintill.domain.cancelling import CancellationState, Step, state_of


@pytest.mark.parametrize("step", Step)
def test_each_step_has_its_word(step: Step) -> None:
    assert state_of(step, parked=False) in CancellationState
    assert state_of(step, parked=True) is CancellationState.NEEDS_PERSON
