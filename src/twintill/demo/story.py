"""The story, from the first sign-up to the last cancellation."""

from twintill.demo import leaving, paying_out, renewing, shop, signing_up, taken_back, troubles
from twintill.demo.people import ADA, CLEO, Cast
from twintill.demo.stage import Stage


async def tell(stage: Stage) -> Cast:
    """All of its parts. Raises StoryBroken where the product does not keep its word."""
    price_id = await shop.create_price(stage)
    by_card = await shop.add_card_customer(stage, price_id)
    by_wire = await shop.add_wire_customer(stage, price_id)
    accounts = await signing_up.sign_up(stage, price_id)
    cast = Cast(price_id, accounts, by_card, by_wire)
    await signing_up.check_out(stage, accounts)
    second_subscription_id = await renewing.subscribe_again(stage, accounts[ADA], price_id)
    await signing_up.collect_first_invoices(stage, accounts)
    await renewing.prepare(stage, cast)
    renewals = await renewing.renew(stage, cast)
    cleo = accounts[CLEO]
    await troubles.lose_an_answer(stage, cleo, renewals[cleo.customer_id])
    await troubles.decline(stage, cast, renewals)
    if stage.till.tells_later:
        await taken_back.take_back(stage, cast, renewals)
    else:
        await troubles.settle_late(stage, cast, renewals)
    await leaving.leave(stage, cast, second_subscription_id)
    await leaving.pass_by(stage, cast)
    signing_up.heard_once(stage, accounts)
    if stage.till.settles_after is not None:
        await paying_out.pay_out(stage, stage.till.settles_after)
    return cast
