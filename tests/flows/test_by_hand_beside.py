"""What money by hand does not touch: the caps of automatic refunds."""

from dataclasses import replace

from tests.flows.test_by_hand import cheque, open_invoice
from tests.flows.test_refunds import later, strand
from tests.flows.world import World
from twintill.domain.payment import State


async def test_a_cheque_lifts_no_cap(world: World) -> None:
    """A share of what processors collected: a slip of the pen would open it for everything."""
    policy = replace(world.means.policy, refunds_without_share=0)
    capped = replace(world, means=replace(world.means, policy=policy))
    await cheque(capped, await open_invoice(capped), 4_900_000)
    invoice_id = await strand(capped)
    await later(capped)
    payment = await capped.payment(invoice_id)
    assert payment.state is State.STRANDED
    assert "of what" in str(payment.parked_why)
