"""PayPal's webhooks: whose signature is believed, with which certificate, and what they tell."""

import base64
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
)
from fastapi import FastAPI, Request, Response

from twintill.domain.outcomes import Approved, Declined
from twintill.errors import SignatureRefused, SignatureUnchecked, UnreadableEvent
from twintill.money import Money
from twintill.processors import EventKind, WebhookRequest
from twintill.processors.paypal import webhooks
from twintill.processors.paypal.certificates import PATH, Certificates, Trust
from twintill.sandbox.serve import running

NAME = "messageverificationcerts.paypal.com"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ROOT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BODY = json.dumps({"id": "WH-1", "event_type": "MOON.LIT", "resource": {}}).encode()


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def certificate(
    subject: str,
    key: rsa.RSAPrivateKey,
    *,
    issuer_key: rsa.RSAPrivateKey = ROOT_KEY,
    issuer: str = "Root",
    days: int = 30,
    ca: bool = False,
    above: str | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, ca, ca, False, False), True)
    )
    if above is not None:
        where = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(above)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([where]), False)
    if not ca:
        names = x509.SubjectAlternativeName([x509.DNSName(subject)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(names, False).add_extension(usage, False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


ROOT = certificate("Root", ROOT_KEY, ca=True, days=3650)
GOOD = certificate(NAME, KEY)


class Shelf:
    """PayPal's shelf of certificates."""

    def __init__(self) -> None:
        self.lies: dict[str, bytes] = {"CERT-1": pem(GOOD, ROOT)}
        self.status = 200
        self.asked: list[str] = []
        self.url = ""

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get(PATH + "{one}")
        async def get(one: str, request: Request) -> Response:
            self.asked.append(one)
            found = self.lies.get(one)
            return Response(found or b"", self.status if found else 404)

        return app


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    shelf = Shelf()
    async with running(shelf.app()) as shelf.url:
        yield shelf


@pytest.fixture
async def certificates(shelf: Shelf) -> AsyncIterator[Certificates]:
    async with httpx.AsyncClient(trust_env=False) as client:
        host = shelf.url.removeprefix("http://")
        kept = Certificates(Trust((shelf.url,), (NAME,), pem(ROOT), (host,)), client)
        yield kept
        await kept.aclose()


def signed(
    shelf: Shelf, headers: Mapping[str, str] | None = None, key: rsa.RSAPrivateKey = KEY
) -> WebhookRequest:
    sent = {
        "paypal-transmission-id": "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
        "paypal-transmission-time": "2026-03-01T12:00:00Z",
        "paypal-cert-url": f"{shelf.url}{PATH}CERT-1",
        "paypal-auth-algo": "SHA256withRSA",
        **(headers or {}),
    }
    text = "|".join(
        (
            sent["paypal-transmission-id"],
            sent["paypal-transmission-time"],
            "WH-OURS",
            str(zlib.crc32(BODY)),
        )
    )
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    sent.setdefault("paypal-transmission-sig", base64.b64encode(signature).decode())
    return WebhookRequest(sent, BODY, NOW)


async def check(
    certificates: Certificates, request: WebhookRequest, ours: tuple[str, ...] = ("WH-OURS",)
) -> None:
    """As PayPal does it: sent again when nobody could say yet."""
    try:
        webhooks.verify(request, ours, certificates)
    except SignatureUnchecked:
        await certificates.settle()
        webhooks.verify(request, ours, certificates)


async def test_nothing_is_fetched_before_the_answer(
    shelf: Shelf, certificates: Certificates
) -> None:
    for _ in range(3):
        with pytest.raises(SignatureUnchecked):
            webhooks.verify(signed(shelf), ("WH-OURS",), certificates)
    assert shelf.asked == []
    await certificates.settle()
    for _ in range(3):
        webhooks.verify(signed(shelf), ("WH-OLD", "WH-OURS"), certificates)
    assert shelf.asked == ["CERT-1"], "once, however often it was named"


@pytest.mark.parametrize(
    "headers",
    [
        {"paypal-auth-algo": "SHA1withRSA"},
        {"paypal-auth-algo": "sha256withrsa"},
        {"paypal-auth-algo": ""},
        {"paypal-transmission-id": ""},
        {"paypal-transmission-id": "a|b"},
        {"paypal-transmission-time": ""},
        {"paypal-transmission-time": "yesterday"},
        {"paypal-transmission-time": "2026-03-01T12:00:00"},
        {"paypal-transmission-time": "2026-02-24T12:00:00Z"},
        {"paypal-transmission-time": "2026-03-01T12:06:00Z"},
        {"paypal-transmission-sig": ""},
        {"paypal-transmission-sig": "no base64!"},
        {"paypal-transmission-sig": base64.b64encode(b"x" * 256).decode()},
        {"paypal-transmission-sig": "A" * 5000},
    ],
)
async def test_a_header_that_is_missing_or_wrong_is_refused(
    shelf: Shelf, certificates: Certificates, headers: dict[str, str]
) -> None:
    with pytest.raises(SignatureRefused):
        await check(certificates, signed(shelf, headers))


async def test_three_days_of_retries_are_believed(shelf: Shelf, certificates: Certificates) -> None:
    old = signed(shelf, {"paypal-transmission-time": "2026-02-26T11:00:00.123Z"})
    await check(certificates, old)


async def test_other_bytes_keys_and_webhooks_are_refused(
    shelf: Shelf, certificates: Certificates
) -> None:
    good = signed(shelf)
    await check(certificates, good)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for request, ours in (
        (WebhookRequest(good.headers, BODY + b" ", NOW), ("WH-OURS",)),
        (signed(shelf, key=stranger), ("WH-OURS",)),
        (good, ("WH-OTHER",)),
        (good, ()),
    ):
        with pytest.raises(SignatureRefused):
            await check(certificates, request, ours)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "{url}",
        "{url}/v1/notifications/certs/",
        "{url}/v1/notifications/certs/../../evil",
        "{url}/v1/notifications/certs/%2e%2e",
        "{url}/v1/notifications/certs/CERT-1?x=1",
        "{url}/v1/notifications/certs/CERT-1#x",
        "{url}/v1/notifications/certs/a/b",
        "{url}/v2/notifications/certs/CERT-1",
        "{url}@evil.example/v1/notifications/certs/CERT-1",
        "https://user@api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/v1/notifications/certs/CERT-1",
        "https://[::1/v1/notifications/certs/CERT-1",
    ],
)
async def test_a_certificate_is_only_fetched_from_paypal(
    shelf: Shelf, certificates: Certificates, address: str
) -> None:
    named = {"paypal-cert-url": address.format(url=shelf.url)}
    with pytest.raises(SignatureRefused):
        webhooks.verify(signed(shelf, named), ("WH-OURS",), certificates)
    await certificates.settle()
    assert shelf.asked == []


@pytest.mark.parametrize(
    "lies",
    [
        b"",
        b"<html>",
        pem(certificate("evil.example", KEY), ROOT),
        pem(certificate(NAME, KEY, days=-1), ROOT),
        pem(certificate(NAME, KEY, issuer_key=KEY), ROOT),
        pem(ROOT),
        pem(ROOT, GOOD),
        pem(*[GOOD] * 9),
        b"x" * 100_000,
    ],
    ids=[
        "nothing",
        "no certificate",
        "another name",
        "expired",
        "of another root",
        "an authority",
        "not in front",
        "a long chain",
        "too large",
    ],
)
async def test_a_certificate_that_proves_nothing_is_refused(
    shelf: Shelf, certificates: Certificates, lies: bytes
) -> None:
    shelf.lies["CERT-1"] = lies
    with pytest.raises(SignatureRefused):
        await check(certificates, signed(shelf))


async def test_a_certificate_is_checked_at_every_use(
    shelf: Shelf, certificates: Certificates
) -> None:
    request = signed(shelf)
    await check(certificates, request)
    later = NOW + timedelta(days=31)
    fresh = signed(shelf, {"paypal-transmission-time": later.isoformat()})
    with pytest.raises(SignatureRefused):
        await check(certificates, WebhookRequest(fresh.headers, fresh.body, later))


BETWEEN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def test_what_lies_between_a_certificate_and_its_root_is_fetched(
    shelf: Shelf, certificates: Certificates
) -> None:
    """PayPal's own tools bring it along: its certificates may come without."""
    between = certificate("Between", BETWEEN_KEY, ca=True)
    above = f"{shelf.url}{PATH}between.crt"
    leaf = certificate(NAME, KEY, issuer="Between", issuer_key=BETWEEN_KEY, above=above)
    shelf.lies["CERT-1"] = pem(leaf)
    shelf.lies["between.crt"] = between.public_bytes(serialization.Encoding.DER)
    await check(certificates, signed(shelf))
    assert shelf.asked == ["CERT-1", "between.crt"]


@pytest.mark.parametrize(
    "above", ["http://evil.example/x.crt", "{url}/v1/notifications/certs/none", "file:///etc/x"]
)
async def test_what_lies_between_is_only_fetched_from_an_authority(
    shelf: Shelf, certificates: Certificates, above: str
) -> None:
    where = above.format(url=shelf.url)
    leaf = certificate(NAME, KEY, issuer="Between", issuer_key=BETWEEN_KEY, above=where)
    shelf.lies["CERT-1"] = pem(leaf)
    with pytest.raises(SignatureRefused):
        await check(certificates, signed(shelf))


async def test_what_cannot_be_fetched_is_not_refused(
    shelf: Shelf, certificates: Certificates
) -> None:
    shelf.status = 503
    for _ in range(3):
        with pytest.raises(SignatureUnchecked):
            await check(certificates, signed(shelf))
    assert len(shelf.asked) == 1, "a pause before another try"


async def test_a_flood_of_names_is_fetched_slowly_and_forgets_nothing_good(
    shelf: Shelf, certificates: Certificates
) -> None:
    await check(certificates, signed(shelf))
    for n in range(100):
        named = {"paypal-cert-url": f"{shelf.url}{PATH}CERT-X{n}"}
        with pytest.raises(SignatureUnchecked):
            webhooks.verify(signed(shelf, named), ("WH-OURS",), certificates)
    await certificates.settle()
    assert len(shelf.asked) <= 12
    webhooks.verify(signed(shelf), ("WH-OURS",), certificates)


CAPTURE = {
    "id": "3C679366HH908993F",
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "49.00"},
    "custom_id": "tw-1",
}
REFUND = {
    "id": "1JU08902781691411",
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "49.00"},
    "links": [
        {"rel": "up", "href": "https://api-m.paypal.com/v2/payments/captures/3C679366HH908993F"}
    ],
}


def event(raw_type: str, resource: Any) -> bytes:
    told = {
        "id": "WH-1",
        "event_type": raw_type,
        "create_time": "2026-03-01T12:00:00.000Z",
        "resource": resource,
    }
    return json.dumps(told).encode()


def test_a_completed_capture_is_approved() -> None:
    (told,) = webhooks.parse(event("PAYMENT.CAPTURE.COMPLETED", CAPTURE))
    assert told.kind is EventKind.CHARGE_APPROVED
    assert told.outcome == Approved("3C679366HH908993F", Money(4900, "EUR"))
    assert (told.dedupe_key, told.reference) == ("WH-1", "tw-1")
    assert told.occurred_at == NOW


@pytest.mark.parametrize("raw_type", ["PAYMENT.CAPTURE.DENIED", "PAYMENT.CAPTURE.DECLINED"])
def test_a_denied_capture_is_declined(raw_type: str) -> None:
    (told,) = webhooks.parse(event(raw_type, CAPTURE | {"status": "DECLINED"}))
    assert told.kind is EventKind.CHARGE_DECLINED
    assert isinstance(told.outcome, Declined)


def test_a_reversed_capture_failed_late_in_either_shape() -> None:
    for resource in (REFUND, CAPTURE):
        (told,) = webhooks.parse(event("PAYMENT.CAPTURE.REVERSED", resource))
        assert told.kind is EventKind.CHARGE_FAILED_LATE
        assert told.processor_payment_id == "3C679366HH908993F"
        assert told.amount == Money(4900, "EUR")  # all of it, or only a part?


def test_a_refund_names_its_capture() -> None:
    (told,) = webhooks.parse(event("PAYMENT.CAPTURE.REFUNDED", REFUND))
    assert told.kind is EventKind.REFUND_SUCCEEDED
    assert (told.processor_payment_id, told.refund_id, told.reference) == (
        "3C679366HH908993F",
        "1JU08902781691411",
        None,
    )
    (told,) = webhooks.parse(event("PAYMENT.REFUND.FAILED", REFUND | {"status": "FAILED"}))
    assert told.kind is EventKind.REFUND_FAILED


def test_a_deleted_token_is_revoked() -> None:
    (told,) = webhooks.parse(event("VAULT.PAYMENT-TOKEN.DELETED", {"id": "8kk84519"}))
    assert (told.kind, told.token) == (EventKind.METHOD_REVOKED, "8kk84519")


@pytest.mark.parametrize(
    "raw_type",
    [
        "PAYMENT.CAPTURE.PENDING",
        "PAYMENT.REFUND.PENDING",
        "VAULT.PAYMENT-TOKEN.CREATED",
        "VAULT.PAYMENT-TOKEN.DELETION-INITIATED",
        "CHECKOUT.ORDER.APPROVED",
        "MOON.LIT",
    ],
)
def test_what_means_nothing_to_us_is_ignored_whatever_it_carries(raw_type: str) -> None:
    (told,) = webhooks.parse(event(raw_type, 7))
    assert (told.kind, told.raw_type) == (EventKind.IGNORED, raw_type)


@pytest.mark.parametrize(
    ("raw_type", "resource"),
    [
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"status": "DECLINED"}),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"status": "PENDING"}),
        ("PAYMENT.CAPTURE.COMPLETED", CAPTURE | {"amount": None}),
        ("PAYMENT.CAPTURE.DENIED", CAPTURE),
        ("PAYMENT.CAPTURE.REFUNDED", REFUND | {"links": []}),
        ("PAYMENT.CAPTURE.REFUNDED", REFUND | {"status": "FAILED"}),
        ("PAYMENT.CAPTURE.REVERSED", {}),
        ("VAULT.PAYMENT-TOKEN.DELETED", {}),
        ("CUSTOMER.DISPUTE.CREATED", {}),
        ("PAYMENT.CAPTURE.COMPLETED", None),
    ],
)
def test_what_contradicts_itself_is_parked_under_its_id(raw_type: str, resource: Any) -> None:
    (told,) = webhooks.parse(event(raw_type, resource))
    assert (told.kind, told.dedupe_key) == (EventKind.UNREADABLE, "WH-1")
    assert told.note


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": "WH-1"}', b'{"event_type": "x"}'])
def test_what_is_no_event_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        webhooks.parse(body)
