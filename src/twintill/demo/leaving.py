"""The story's last part: tokens go with the last subscription; strangers are left alone."""

from typing import Any

from twintill.demo import calls, shop
from twintill.demo.people import ADA, BEN, Account, Cast, money
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect

_TOKENS = ("third_party_customer_id", "third_party_payment_method_id")


async def leave(stage: Stage, cast: Cast, second_subscription_id: str) -> None:
    """(8) Ben leaves; Ada ends one of two subscriptions, then the other."""
    tell, title = stage.telling, stage.till.words.title
    tell.step(
        8,
        "Ben's subscription is canceled in Stripe",
        f"The right to pull his money ends with it: in metadata, database, and at {title}.",
        await stage.database.now(),
    )
    ben, ada = cast.accounts[BEN], cast.accounts[ADA]
    token = await _token(stage, ben)
    await _cancel(stage, ben.subscription_id)
    await stage.until("Ben's token is gone", lambda: _is_gone(stage, ben, token))
    tell.line("Ben", f"token gone from metadata and database, revoked at {stage.till.words.title}")
    token = await _token(stage, ada)
    await _cancel(stage, ada.subscription_id)
    await stage.until("Ada's first subscription ends", lambda: _was_kept(stage, ada))
    expect(await _token(stage, ada) == token, "Ada's token went with the first of two")
    tell.line("Ada", "ends one of two subscriptions: the token stays")
    await _cancel(stage, second_subscription_id)
    await stage.until("Ada's token is gone", lambda: _is_gone(stage, ada, token))
    tell.line("Ada", "ends the other: the token goes")


async def pass_by(stage: Stage, cast: Cast) -> None:
    """(9) Same Stripe account, same endpoint; never charged."""
    tell = stage.telling
    tell.step(
        9,
        "Fay pays Stripe by card, Gus pays by wire",
        "Their events come through the same endpoint: acknowledged, recorded, never charged.",
        await stage.database.now(),
    )
    await _fay(stage, cast)
    await _gus(stage, cast)


async def _fay(stage: Stage, cast: Cast) -> None:
    invoices = await _invoices(stage, cast.by_card.customer_id)
    expect(all(i["status"] == "paid" for i in invoices), "Stripe did not charge Fay's card")
    passed = await _passed_by(stage, [invoice["id"] for invoice in invoices])
    stage.telling.line("Fay", f"{len(invoices)} invoices charged by Stripe itself; {passed}")


async def _gus(stage: Stage, cast: Cast) -> None:
    invoices = await _invoices(stage, cast.by_wire.customer_id)
    expect(all(i["status"] == "open" for i in invoices), "somebody paid Gus's invoices")
    passed = await _passed_by(stage, [invoice["id"] for invoice in invoices])
    first = invoices[-1]
    await shop.pay_by_wire(stage, first["id"])
    stage.telling.line(
        "Gus",
        f"{len(invoices)} invoices open; {passed}; finance saw his wire of "
        f"{money(first['amount_due'])} and marks {first['number']} paid in the Dashboard",
    )


async def _passed_by(stage: Stage, invoice_ids: list[str]) -> str:
    """What the inbox says of them, and that nobody opened a payment."""

    async def all_done() -> bool:
        rows = await stage.database.fetch(
            "SELECT 1 FROM inbox WHERE object_id = ANY($1) AND state = 'new' LIMIT 1", invoice_ids
        )
        return not rows

    await stage.until("the inbox is empty", all_done)
    rows = await stage.database.fetch(
        "SELECT state, note, count(*) FROM inbox WHERE object_id = ANY($1) GROUP BY 1, 2",
        invoice_ids,
    )
    expect(rows, "no event of these invoices came in")
    expect(all(row["state"] == "ignored" for row in rows), f"events were acted upon: {rows}")
    payments = await stage.database.fetch(
        "SELECT 1 FROM payments WHERE invoice_id = ANY($1)", invoice_ids
    )
    expect(not payments, "there is a payment for a stranger's invoice")
    return "; ".join(f"{row['count']} events {row['state']}: “{row['note']}”" for row in rows)


async def _invoices(stage: Stage, customer_id: str) -> list[Any]:
    listed = await calls.get(stage.stripe, "/v1/invoices", customer=customer_id, limit="100")
    return list(listed["data"])


async def _cancel(stage: Stage, subscription_id: str) -> None:
    await calls.delete(stage.stripe, f"/v1/subscriptions/{subscription_id}")


async def _token(stage: Stage, account: Account) -> str:
    customer = await calls.get(stage.stripe, f"/v1/customers/{account.customer_id}")
    return str(customer["metadata"]["third_party_payment_method_id"])


async def _is_gone(stage: Stage, account: Account, token: str) -> bool:
    customer = await calls.get(stage.stripe, f"/v1/customers/{account.customer_id}")
    kept = await stage.database.fetch(
        "SELECT 1 FROM payment_methods WHERE customer_id = $1 AND sealed_token IS NOT NULL",
        account.customer_id,
    )
    in_metadata = any(name in customer["metadata"] for name in _TOKENS)
    return not in_metadata and not kept and await stage.till.is_revoked(stage.processor, token)


async def _was_kept(stage: Stage, account: Account) -> bool:
    """Whether the worker has looked, and decided that the token is still needed."""
    rows = await stage.database.fetch(
        "SELECT step FROM operations WHERE customer_id = $1 AND kind = 'drop_tokens'",
        account.customer_id,
    )
    return [row["step"] for row in rows] == ["kept"]
