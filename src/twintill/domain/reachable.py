"""Which addresses may be called because an API caller named them: public ones, and no others.

An address that a caller chose must not lead inside: to this machine, its network, its cloud's
metadata, or to either of them through a translation (IPv4-mapped, 6to4, Teredo, NAT64). What is
not known to be ordinary unicast of the public Internet is refused: IANA's special-purpose
registries for IPv4 and IPv6, written out here, since what libraries call "global" has changed.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_LOOPBACK_4, _LOOPBACK_6 = IPv4Network("127.0.0.0/8"), IPv6Address("::1")
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's translation; also some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # a public number that is the host of the machine, in Azure
        "169.254.0.0/16",  # link-local: metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; also Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# All that IANA gives out as unicast; mapped, NAT64, link-local, unique local and multicast
# addresses are outside of it.
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)


def why_not(scheme: str, addresses: Sequence[str], *, loopback: bool) -> str | None:
    """Why it must not be called; None: it may.

    `addresses`: all that its name has; a name that leads outside and inside leads inside when it
    counts. `loopback`: on a developer's machine, where the app listens beside us, without TLS.
    """
    if loopback and addresses and all(map(_is_loopback, addresses)):
        return None
    if scheme != "https":
        return "it must begin with https://"
    if not addresses or not all(map(is_public, addresses)):
        return "it, or one of its addresses, leads to a private, local or reserved network"
    return None


def is_public(address: str) -> bool:
    """`address`: one numeric address, as a resolver answers it."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    return ip in _UNICAST_6 and not any(ip in network for network in _NOT_PUBLIC_6)


def _is_loopback(address: str) -> bool:
    """This machine, plainly, in no disguise."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return ip in _LOOPBACK_4 if isinstance(ip, IPv4Address) else ip == _LOOPBACK_6
