"""A certificate authority of the stand-in's own, and the certificate that signs its webhooks.

PayPal's is issued to `messageverificationcerts.paypal.com` by a public authority and served, with
the one above it, at /v1/notifications/certs/CERT-...; so is this one, except that nobody trusts its
root who was not told to.
"""

from __future__ import annotations

import base64
import functools
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

COMMON_NAME = "messageverificationcerts.paypal.com"
ALGORITHM = "SHA256withRSA"
# Business time may be moved by years: the certificates hold for all of them.
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Signer:
    key: rsa.RSAPrivateKey
    certificate_id: str
    chain_pem: bytes  # the signing certificate, then the one that issued it
    root_pem: bytes

    def sign(self, transmission_id: str, time: str, webhook_id: str, body: bytes) -> str:
        """Base64 of the signature over id, time, webhook id and the body's checksum."""
        text = signed_text(transmission_id, time, webhook_id, body)
        return base64.b64encode(self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def signed_text(transmission_id: str, time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission_id}|{time}|{webhook_id}|{zlib.crc32(body)}".encode()


@functools.cache
def make_signer() -> Signer:
    """Once in a process: making keys takes as long as a hundred webhooks."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    between_key = ec.generate_private_key(ec.SECP256R1())
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    root_name, between_name = _name("Sandbox PayPal Root"), _name("Sandbox PayPal Issuer")
    root = _authority(root_name, root_key, root_name, root_key, depth=1)
    between = _authority(between_name, between_key, root_name, root_key, depth=0)
    leaf = _leaf(key.public_key(), between_name, between_key)
    number = f"{leaf.serial_number:040x}"
    return Signer(
        key=key,
        certificate_id=f"CERT-{number[:8]}-{number[8:16]}-{number[16:24]}",
        chain_pem=_pem(leaf) + _pem(between),
        root_pem=_pem(root),
    )


def _authority(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    depth: int,
) -> x509.Certificate:
    builder = _builder(name, key.public_key(), issuer, issuer_key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=depth), True)
    return builder.add_extension(_usage(signs_certificates=True), True).sign(
        issuer_key, hashes.SHA256()
    )


def _leaf(
    key: rsa.RSAPublicKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(_name(COMMON_NAME), key, issuer, issuer_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(_usage(signs_certificates=False), True)
        .add_extension(x509.ExtendedKeyUsage(purposes), False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(COMMON_NAME)]), False)
        .sign(issuer_key, hashes.SHA256())
    )


def _builder(
    name: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        .add_extension(above, False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
