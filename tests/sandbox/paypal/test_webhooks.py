"""Webhooks: signed by a certificate, tried again, listed, and sent once more when asked."""

import base64
import json
import zlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from tests.sandbox.paypal.merchant import START, WEBHOOK_ID, Letter, Merchant

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def letter_of(merchant: Merchant) -> Letter:
    await merchant.capture(description="Größe")
    await merchant.admin("tick")
    (letter,) = merchant.letters
    return letter


async def test_the_signature_is_that_of_a_certificate_of_its_authority(merchant: Merchant) -> None:
    letter = await letter_of(merchant)
    headers = letter.headers
    assert headers["paypal-auth-algo"] == "SHA256withRSA"
    served = await merchant.http.get(headers["paypal-cert-url"], headers={"Authorization": ""})
    leaf, *between = x509.load_pem_x509_certificates(served.content)
    (root,) = x509.load_pem_x509_certificates((await merchant.http.get("/_sandbox/ca")).content)
    name = "messageverificationcerts.paypal.com"
    assert leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
    verifier = PolicyBuilder().store(Store([root])).time(START)
    verifier.build_server_verifier(x509.DNSName(name)).verify(leaf, between)

    signed = "|".join(
        (
            headers["paypal-transmission-id"],
            headers["paypal-transmission-time"],
            WEBHOOK_ID,
            str(zlib.crc32(letter.body)),
        )
    )
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(headers["paypal-transmission-sig"])
    key.verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_paypal_verifies_its_own(merchant: Merchant) -> None:
    letter = await letter_of(merchant)
    names = ("transmission_id", "transmission_time", "cert_url", "auth_algo", "transmission_sig")
    order = {name: letter.headers["paypal-" + name.replace("_", "-")] for name in names}
    order["webhook_id"] = WEBHOOK_ID
    for body, status in ((letter.body, "SUCCESS"), (letter.body + b" ", "SUCCESS")):
        raw = json.dumps(order)[:-1].encode() + b', "webhook_event": ' + body + b"}"
        answer = await merchant.http.post("/v1/notifications/verify-webhook-signature", content=raw)
        assert answer.json() == {"verification_status": status}
    raw = json.dumps(order | {"webhook_event": letter.event}).encode()  # other bytes
    answer = await merchant.http.post("/v1/notifications/verify-webhook-signature", content=raw)
    assert answer.json() == {"verification_status": "FAILURE"}


async def test_a_refused_webhook_comes_again(merchant: Merchant) -> None:
    merchant.refuse.append(500)
    await merchant.capture()
    await merchant.admin("tick")
    while len(merchant.letters) < 2:
        await merchant.admin("tick")
    first, second = merchant.letters
    assert first.event["id"] == second.event["id"]


async def test_events_are_listed_latest_first_and_sent_again(merchant: Merchant) -> None:
    for n in range(3):
        await merchant.capture(invoice_id=f"in_{n}")
        await merchant.pass_days(0.01)
    told = [letter.event for letter in merchant.letters]
    first = (await merchant.get("/v1/notifications/webhooks-events", page_size=2)).json()
    (following,) = [one["href"] for one in first["links"] if one["rel"] == "next"]
    second = (await merchant.http.get(following)).json()
    listed = [*first["events"], *second["events"]]
    assert listed == told[::-1]
    one = f"/v1/notifications/webhooks-events/{told[0]['id']}"
    assert (await merchant.get(one)).json() == told[0]
    assert (await merchant.post(f"{one}/resend", {})).status_code == 202
    assert (await merchant.told())[3:] == ["PAYMENT.CAPTURE.COMPLETED"]
    assert merchant.letters[3].event == told[0]


async def test_a_webhook_can_be_lost_by_either_name(merchant: Merchant) -> None:
    for name in ("PAYMENT.CAPTURE.COMPLETED", "charge.succeeded"):
        await merchant.admin("faults", kind="webhook_drop", types=[name])
        await merchant.capture(invoice_id=name)
        assert await merchant.told() == []
    listed = (await merchant.get("/v1/notifications/webhooks-events")).json()["events"]
    assert len(listed) == 2
