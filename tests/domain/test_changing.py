"""What a change of a subscription looks like from outside."""

import pytest

from twintill.domain.changing import ChangeState, Step, state_of


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (Step.CHANGE, ChangeState.CHANGING),
        (Step.DONE, ChangeState.DONE),
        (Step.FAILED, ChangeState.FAILED),
    ],
)
def test_each_step_has_its_word_unless_a_person_has_to_look(step: Step, state: ChangeState) -> None:
    assert state_of(step, parked=False) is state
    assert state_of(step, parked=True) is ChangeState.NEEDS_PERSON
