"""The certificates that PayPal's webhooks are signed with: fetched in the background, kept, and
checked at every use against trusted roots.

Only from PayPal's own hosts, from one path; one fetch of an address at a time, a bounded number a
minute, of bounded size; only a few are kept. Until one is here, nobody can say whose a webhook is:
`SignatureUnchecked` has PayPal send it again.
"""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from twintill.errors import SettingsError, SignatureRefused, SignatureUnchecked
from twintill.processors import transport

PATH = "/v1/notifications/certs/"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_MAX_BYTES = 64 * 1024
_MAX_CHAIN = 6
_KEPT = 16
_FETCHES_A_MINUTE = 12
_DEADLINE_S = 10.0
_REFUSED_FOR_S = 300.0  # what is no certificate today, may be one later
_PAUSE_S = 2.0  # before another try, when it could not be fetched


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a signature is believed: where its certificate may lie, and whose names it may bear."""

    origins: tuple[str, ...]  # "https://api.paypal.com"
    names: tuple[str, ...]  # "messageverificationcerts.paypal.com"
    roots: bytes | None = None  # PEM; None: those that browsers trust
    # Hosts of the authority that certifies PayPal, for what lies between it and a root.
    issuers: tuple[str, ...] = ("cacerts.digicert.com", "cacerts.geotrust.com")

    def read_roots(self) -> list[x509.Certificate]:
        """Raises SettingsError for roots that cannot be read."""
        if self.roots is None:
            roots = _read_roots(Path(certifi.where()).read_bytes())
        else:
            roots = _read_roots(self.roots)
        if not roots:
            raise SettingsError("PayPal's root certificates cannot be read: there is none in them")
        return roots


@dataclass(frozen=True, slots=True)
class _Kept:
    chain: tuple[x509.Certificate, ...] | None  # None: what lies there is no certificate
    until: float | None  # on the monotonic clock; None: as long as there is room
    used: float


class Certificates:
    def __init__(self, trust: Trust, client: httpx.AsyncClient) -> None:
        self._trust = trust
        roots = trust.read_roots()
        self._store = Store(roots)
        self._roots = frozenset(root.subject for root in roots)
        self._client = client
        self._kept: dict[str, _Kept] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._begun: deque[float] = deque(maxlen=_FETCHES_A_MINUTE)
        self._pauses: dict[str, float] = {}

    def key(self, address: str, at: datetime) -> rsa.RSAPublicKey:
        """The public key of a certificate that is PayPal's and valid at this moment.

        Raises SignatureRefused for one that is not, SignatureUnchecked while it is on its way.
        """
        self._require_address(address)
        kept = self._kept.get(address)
        now = time.monotonic()
        if kept is None or (kept.until is not None and now >= kept.until):
            self._begin(address, now)
            raise SignatureUnchecked("The webhook's certificate is being fetched.")
        if kept.chain is None:
            raise SignatureRefused("The webhook's certificate is none.")
        key = _checked(kept.chain, self._store, self._trust.names, at)
        self._kept[address] = _Kept(kept.chain, kept.until, now)
        return key

    async def settle(self) -> None:
        """Waits for what is under way: for tests."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def aclose(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        await self.settle()

    def _require_address(self, address: str) -> None:
        """Exactly an origin of PayPal's, and one name below its path."""
        try:
            parts = urlsplit(address)
        except ValueError:
            raise SignatureRefused("The webhook's certificate has no readable address.") from None
        origin = f"{parts.scheme}://{parts.netloc}"
        name = parts.path.removeprefix(PATH)
        whole = f"{origin}{PATH}{name}"
        if origin not in self._trust.origins or whole != address or not _NAME.match(name):
            raise SignatureRefused("The webhook's certificate does not lie with PayPal.")

    def _begin(self, address: str, now: float) -> None:
        """One at a time for an address, a few a minute for all."""
        full = len(self._begun) == _FETCHES_A_MINUTE and now - self._begun[0] < 60
        if address in self._under_way or full or now < self._pauses.get(address, 0):
            return
        try:
            task = asyncio.get_running_loop().create_task(self._fetch(address))
        except RuntimeError:
            return  # no loop runs: nothing can be fetched
        self._begun.append(now)
        self._under_way[address] = task
        task.add_done_callback(lambda _: self._under_way.pop(address, None))

    async def _fetch(self, address: str) -> None:
        pem = await _download(self._client, address)
        now = time.monotonic()
        if pem is None:
            if len(self._pauses) > _KEPT:
                self._pauses.clear()
            self._pauses[address] = now + _PAUSE_S
            return
        chain = _read_chain(pem)
        if chain is not None:
            chain = await self._completed(chain)
        until = now + _REFUSED_FOR_S if chain is None else None
        while len(self._kept) >= _KEPT:
            self._kept.pop(min(self._kept, key=self._worth))
        self._kept[address] = _Kept(chain, until, now)

    async def _completed(self, chain: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
        """With the certificates between it and a root, where PayPal does not send them along.

        They are named in the certificate itself, and prove nothing but by their signatures.
        """
        top = chain[0]
        while top.issuer not in self._roots and len(chain) < _MAX_CHAIN:
            known = next((one for one in chain[1:] if one.subject == top.issuer), None)
            address = None if known is not None else _issuer_address(top, self._trust.issuers)
            if address is not None:
                known = _read_der(await _download(self._client, address) or b"")
                chain = chain if known is None else (*chain, known)
            if known is None or known == top:
                break
            top = known
        return chain

    def _worth(self, address: str) -> tuple[bool, float]:
        """What is none goes first, then what was not used for the longest time."""
        kept = self._kept[address]
        return kept.chain is not None, kept.used


def _read_roots(pem: bytes) -> list[x509.Certificate]:
    """One by one: a root that the library will not take (some break the standard) is left out."""
    roots = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for block in _BLOCK.findall(pem):
            try:
                roots.append(x509.load_pem_x509_certificate(block))
            except (ValueError, Warning):
                continue
    return roots


async def _download(client: httpx.AsyncClient, address: str) -> bytes | None:
    """What lies there, empty for "nothing"; None: it could not be fetched."""
    request = client.build_request("GET", address, timeout=transport.timeouts(_DEADLINE_S))
    try:
        async with asyncio.timeout(_DEADLINE_S):
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                return await _read_bounded(answer)
            finally:
                await answer.aclose()
    except (TimeoutError, httpx.HTTPError, httpx.StreamError):
        return None


async def _read_bounded(answer: httpx.Response) -> bytes | None:
    if answer.status_code >= 500 or answer.status_code == 429:
        return None
    if answer.status_code != 200:
        return b""
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _MAX_BYTES:
            return b""
    return body


def _read_chain(pem: bytes) -> tuple[x509.Certificate, ...] | None:
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        return None
    return chain if 0 < len(chain) <= _MAX_CHAIN else None


def _read_der(der: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        return None


def _issuer_address(certificate: x509.Certificate, hosts: Sequence[str]) -> str | None:
    """Where its issuer's certificate lies, when that is with an authority that we know."""
    try:
        told = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
    except (x509.ExtensionNotFound, ValueError):
        return None
    for access in told.value:
        where = access.access_location
        if access.access_method != AuthorityInformationAccessOID.CA_ISSUERS:
            continue
        if isinstance(where, x509.UniformResourceIdentifier):
            parts = urlsplit(where.value)
            if parts.scheme in ("http", "https") and parts.netloc in hosts:
                return where.value
    return None


def _checked(
    chain: Sequence[x509.Certificate], store: Store, names: Sequence[str], at: datetime
) -> rsa.RSAPublicKey:
    """Its names, its time, and the way up to a trusted root, at this use."""
    leaf = chain[0]
    for name in names:
        try:
            verifier = (
                PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
            )
            verifier.verify(leaf, list(chain[1:]))
        except VerificationError:
            continue
        key = leaf.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return key
    raise SignatureRefused("The webhook's certificate is not one of PayPal's that is valid now.")
