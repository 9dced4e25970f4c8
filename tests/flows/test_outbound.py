"""Calling what somebody named: judged at creation and each time, and called where it was judged."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.flows.listening import deliver, deliveries, endpoint, happen, listening, told
from tests.flows.world import SCOPE, World
from twintill.errors import EndpointRefused
from twintill.flows import endpoints, outbound
from twintill.flows.outbound import Outbound

PUBLIC = "93.184.216.34"


@dataclass
class Names:
    """A name server that answers as it is told to, the last answer again and again."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def strict(names: Names) -> Outbound:
    return Outbound(resolve=names.resolve)


@pytest.mark.parametrize(
    "url",
    [
        *("http://app.example/hook", "ftp://app.example", "app.example", "//app.example", ""),
        *("https://user:pass@app.example/", "https:///hook", "https://app.example/\n", "https://["),
        "https://app.example/" + "a" * 2000,
    ],
)
async def test_only_plain_https_addresses_are_taken(url: str) -> None:
    with pytest.raises(EndpointRefused):
        await outbound.check(strict(Names([[PUBLIC]])), url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost"),
        *("localhost.", "[::1]", "[::ffff:127.0.0.1]", "[fe80::1%25lo]", "169.254.169.254"),
        *("10.0.0.1", "100.64.0.1", "[64:ff9b::7f00:1]", "[::]", "192.168.0.1"),
    ],
)
async def test_no_way_of_writing_an_inner_address_is_taken(host: str) -> None:
    """As the system's own resolver reads them."""
    with pytest.raises(EndpointRefused):
        await outbound.check(Outbound(), f"https://{host}/hook")


async def test_a_name_is_taken_when_all_its_addresses_are_public() -> None:
    good = await outbound.check(strict(Names([[PUBLIC, "2606:4700::1111"]])), "https://app.example")
    assert good == (PUBLIC, "2606:4700::1111")
    for bad in ([PUBLIC, "10.0.0.1"], []):
        with pytest.raises(EndpointRefused):
            await outbound.check(strict(Names([bad])), "https://app.example")


async def test_a_name_that_answers_public_first_and_then_inside_is_not_called(
    world: World,
) -> None:
    async with listening() as inner:
        names = Names([[PUBLIC], ["127.0.0.1"]])
        world = told(world, allow_loopback=False, resolve=names.resolve)
        port = httpx.URL(inner.url).port
        await endpoint(world, f"https://rebinding.example:{port}/hook")
        await happen(world)
        await deliver(world)
    assert names.asked == ["rebinding.example"] * 2  # at creation, and once at the delivery
    assert inner.asked == []
    (row,) = await deliveries(world)
    assert (row.state, row.last_status) == ("pending", None)
    assert "leads to a private, local or reserved network" in row.last_error


async def test_a_changed_address_is_judged_like_a_new_one(world: World) -> None:
    async with listening() as app:
        endpoint_id, _ = await endpoint(told(world), app.url)
    means = replace(world.means, outbound=strict(Names([["10.0.0.1"]])))
    with pytest.raises(EndpointRefused):
        await endpoints.change(means, SCOPE, endpoint_id, url="https://inside.example")


async def test_no_proxy_of_the_environment_is_used(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = told(world)
    async with listening() as app, listening() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        await endpoint(world, app.url)
        await happen(world)
        await deliver(world)
    assert (len(app.asked), proxy.asked) == (1, [])


async def test_an_answer_without_end_is_cut_and_one_without_beginning_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbound, "TIMEOUT_S", 0.5)
    here = Outbound(allow_loopback=True)
    async with _raw(_endless) as url, outbound.open_transport(here) as transport:
        answer = await outbound.post(here, transport, url, b"{}", {}, trusted=False)
        assert answer == outbound.Answer(200, "x" * 1024)
    async with _raw(_dripping) as url, outbound.open_transport(here) as transport:
        answer = await outbound.post(here, transport, url, b"{}", {}, trusted=False)
        assert answer == "no answer within 0.5 s"


async def test_nobody_there_is_said_in_words() -> None:
    here = Outbound(allow_loopback=True)
    async with outbound.open_transport(here) as transport:
        told = await outbound.post(here, transport, "http://127.0.0.1:9/", b"{}", {}, trusted=False)
    assert isinstance(told, str)
    assert told.startswith("ConnectError")


async def test_the_judged_address_is_called_under_the_names_certificate(tmp_path: Path) -> None:
    """One look-up; Host and certificate are the name's, the connection goes to the address."""
    authority, server = _certificates(tmp_path, "app.example")
    names = Names([["127.0.0.1"], ["10.0.0.1"]])
    here = Outbound(allow_loopback=True, resolve=names.resolve, tls=authority)
    heard: list[bytes] = []
    async with (
        _raw(_remembering(heard), server) as url,
        outbound.open_transport(here) as transport,
    ):
        port = httpx.URL(url).port
        named = f"https://app.example:{port}/hook"
        answer = await outbound.post(here, transport, named, b"{}", {}, trusted=False)
        assert answer == outbound.Answer(200, "ok")
        assert names.asked == ["app.example"]
        assert f"\r\nhost: app.example:{port}\r\n".encode() in heard[0].lower()
        names.answers = [["127.0.0.1"]]
        other = f"https://other.example:{port}/hook"
        refused = await outbound.post(here, transport, other, b"{}", {}, trusted=False)
        assert "CERTIFICATE_VERIFY_FAILED" in str(refused)
    assert len(heard) == 1


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


@contextlib.asynccontextmanager
async def _raw(handle: object, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server below HTTP, for what no framework would answer."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await handle(head, writer)  # type: ignore[operator]
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook"
    await asyncio.gather(*tasks)


async def _endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"content-encoding: gzip\r\n\r\n")
    for _ in range(10_000):
        writer.write(b"x" * 512)
        await writer.drain()


async def _dripping(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    for _ in range(100):
        writer.write(b"x-more: x\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)


def _remembering(heard: list[bytes]) -> object:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heard.append(head)
        writer.write(_HEAD + b"content-length: 2\r\n\r\nok")
        await writer.drain()

    return answer


def _certificates(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(who trusts it, who has it): self-signed, for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem, secret)
    return ssl.create_default_context(cafile=str(pem)), server
