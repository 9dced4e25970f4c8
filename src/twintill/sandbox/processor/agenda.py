"""What happens by itself: every appointment that is due, in the order of its time."""

from collections.abc import Callable, Mapping
from datetime import datetime

from twintill.sandbox.processor import charging, giving_back, settlement, setups
from twintill.sandbox.processor.world import World

STEPS: Mapping[str, Callable[[World, str, datetime], None]] = {
    "submit": charging.submit,
    "end_pending": charging.end_pending,
    "make_final": charging.make_final,
    "fail_late": charging.end_late,
    "expire_action": charging.expire_action,
    "charge_back": giving_back.charge_back,
    "end_refund": giving_back.end_refund,
    "expire_setup": setups.expire_setup,
    "submit_method": setups.submit_method,
    "activate_method": setups.activate_method,
    "pay_out": settlement.pay_out,
}


def catch_up(world: World, now: datetime) -> int:
    """Each step happens at its own time, not at ours; answers how many there were."""
    steps = 0
    while (appointment := world.next_due(now)) is not None:
        STEPS[appointment.step](world, appointment.object_id, appointment.due)
        steps += 1
    return steps
