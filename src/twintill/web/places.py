"""Addresses and IPs as callers send them: plain mistakes are refused, with the field."""

from ipaddress import ip_address

from twintill.domain.address import Address, clean, complaints
from twintill.errors import BadRequest
from twintill.web.signup_shapes import AddressParams


def checked_address(params: AddressParams | None, param: str = "address") -> dict[str, str] | None:
    """In Stripe's words, empty parts left out. Raises BadRequest."""
    if params is None:
        return None
    address = clean(Address(**params.model_dump()))
    for name, complaint in complaints(address).items():
        raise BadRequest(complaint, code="address_invalid", param=f"{param}[{name}]")
    return address.filled()


def checked_ip(text: str | None) -> str | None:
    """Raises BadRequest."""
    if text is None:
        return None
    try:
        return str(ip_address(text))
    except ValueError:
        raise BadRequest("This is not an IP address.", param="ip_address") from None
