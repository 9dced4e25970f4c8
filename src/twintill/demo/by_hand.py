"""Third act: money that a person has in hand: whole, in part, too much, beside a charge, wrong."""

from datetime import timedelta
from typing import Any

from twintill.demo import calls
from twintill.demo.dashboard import bill
from twintill.demo.people import CURRENCY, Account, money
from twintill.demo.renewing import replace_method
from twintill.demo.stage import Stage
from twintill.demo.trouble import expect
from twintill.demo.waiting_for import payment_that, reported, told

_DEBIT_DAYS = timedelta(days=2, minutes=1)
_PICTURE = b"%PDF-1.4 a cheque, front and back"


async def pay(stage: Stage, gus: str, ivy: Account) -> None:
    """(10) Cheques and cash of Gus, who has no payment method; and one of Ivy's, beside a debit."""
    tell = stage.telling
    tell.step(
        10,
        "Gus pays by cheque and in cash, Ivy while her debit is out",
        "Recorded once, by whom and with what proof; never charged as well.",
        await stage.database.now(),
    )
    chair = (await calls.get(stage.api, "/v1/invoices", customer=gus, overdue="true"))["data"][0]
    cheque = await _whole(stage, chair)
    await _too_much(stage, gus)
    await _a_part(stage, gus)
    await _beside_a_charge(stage, ivy)
    await _bounced(stage, chair, cheque)


async def _whole(stage: Stage, chair: Any) -> Any:
    hand = await _record(stage, chair["id"], 4000, "cheque 000123")
    path = f"/v1/hand_payments/{hand['id']}/evidence/cheque.pdf"
    headers = {"content-type": "application/pdf"}
    filed = await stage.api.put(path, content=_PICTURE, headers=headers)
    expect(filed.is_success, f"the evidence was answered {filed.status_code}")
    await reported(stage, chair["id"], "the chair is paid")
    paid = await told(stage, "invoice.paid", chair["id"])
    sha256 = filed.json()["sha256"][:12]
    stage.telling.line(
        "Gus",
        f"{chair['number']}: cheque of {money(4000)}, its scan kept (sha256 {sha256}…); "
        f"invoice.paid told, {paid['how']}",
    )
    return hand


async def _too_much(stage: Stage, gus: str) -> None:
    table = await bill(stage, gus, 6000, "Table")
    await _record(stage, table["id"], 7500, "cheque 000124")
    payment = await reported(stage, table["id"], "the table is paid")
    expect(payment["reported"] == 6000, f"{payment['reported']} were reported")
    credit = await calls.get(stage.api, f"/v1/customers/{gus}/credit")
    (left,) = credit["balances"]
    lamp = await bill(stage, gus, 1500, "Lamp")
    apply = {"invoice": lamp["id"], "currency": CURRENCY.lower()}
    await calls.post(stage.api, f"/v1/customers/{gus}/credit/apply", apply)
    await reported(stage, lamp["id"], "the lamp is paid")
    stage.telling.line(
        "Gus",
        f"{money(7500)} for {money(6000)}: {money(left['available'])} credit, which pays the lamp",
    )


async def _a_part(stage: Stage, gus: str) -> None:
    sofa = await bill(stage, gus, 10000, "Sofa")
    await _record(stage, sofa["id"], 7000, "receipt 17", kind="cash")
    rest_id = await _follow_on(stage, sofa["id"], "the rest of the sofa is billed anew")
    await _record(stage, rest_id, 3000, "receipt 18", kind="cash")
    await reported(stage, rest_id, "the rest of the sofa is paid")
    stage.telling.line(
        "Gus", f"{money(7000)} of {money(10000)} in cash: the rest credited, billed anew, paid"
    )


async def _beside_a_charge(stage: Stage, ivy: Account) -> None:
    """It waits; and nothing that closes the invoice drops what is in flight."""
    await replace_method(stage, ivy, "debit_ok")
    desk = await bill(stage, ivy.customer_id, 9000, "Desk")
    await payment_that(stage, desk["id"], "her debit is out", lambda p: p["state"] == "pending")
    void = await stage.api.post(f"/v1/invoices/{desk['id']}/void", json={})
    expect(void.status_code == 409, f"voiding during a charge answered {void.status_code}")
    hand = await _record(stage, desk["id"], 9000, "cheque 77")
    expect(hand["state"] == "waiting", f"her cheque is {hand['state']}")
    stage.telling.line(
        "Ivy", f"her debit is out: voiding is refused (“{void.json()['code']}”), her cheque waits"
    )
    why = {"why": "she wants it back: the debit will do"}
    undone = await calls.post(stage.api, f"/v1/hand_payments/{hand['id']}/undo", why)
    expect(undone["state"] == "undone", f"her cheque is {undone['state']}")
    await stage.advance(_DEBIT_DAYS)
    payment = await reported(stage, desk["id"], "her debit is confirmed")
    stage.telling.line("Ivy", f"the cheque undone; {money(payment['reported'])} by debit, reported")


async def _bounced(stage: Stage, chair: Any, cheque: Any) -> None:
    why = {"why": "the cheque came back"}
    await calls.post(stage.api, f"/v1/hand_payments/{cheque['id']}/correct", why)
    again_id = await _follow_on(stage, chair["id"], "the chair is billed anew")
    await _record(stage, again_id, 4000, "receipt 19", kind="cash")
    await reported(stage, again_id, "the chair is paid again")
    stage.telling.line(
        "Gus", "the cheque for the chair bounces: a credit note, a new invoice, paid in cash"
    )


async def _record(
    stage: Stage, invoice_id: str, minor: int, reference: str, kind: str = "cheque"
) -> Any:
    today = (await stage.database.now()).date()
    body = {"kind": kind, "amount": minor, "currency": CURRENCY.lower(), "reference": reference}
    return await calls.post(
        stage.api,
        f"/v1/invoices/{invoice_id}/hand_payments",
        {**body, "received_on": today.isoformat()},
    )


async def _follow_on(stage: Stage, invoice_id: str, what: str) -> str:
    """The invoice that goes on with it, once it is open."""
    payment = await payment_that(
        stage, invoice_id, what, lambda p: any(one["payment"] for one in p["followed_by"])
    )
    next_id = str(payment["followed_by"][0]["invoice"])
    await payment_that(stage, next_id, what, lambda p: p["reason"] != "draft")
    return next_id
