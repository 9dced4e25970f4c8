"""A billing address, as far as tax needs it: what is missing or cannot be right. Pure.

Only plain mistakes are found here; whether the place exists is Stripe's to say.
"""

import re
from dataclasses import asdict, dataclass

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_POSTAL_CODES = {
    "US": re.compile(r"\d{5}(-\d{4})?\Z"),
    "CA": re.compile(r"[A-Z]\d[A-Z] ?\d[A-Z]\d\Z"),
}
_ANY_POSTAL_CODE = re.compile(r"[A-Z0-9][A-Z0-9 -]{1,11}\Z")
_WITH_STATES = frozenset(("US", "CA"))
_STATE = re.compile(r"[A-Z]{2}\Z")
# Where post is delivered without a code.
_WITHOUT_POSTAL_CODES = frozenset(
    "AE AG AO AW BF BI BJ BO BS BW BZ CD CF CG CI CM DJ DM ER FJ GA GD GH GM GQ GY HK JM KI KM KP "  # noqa: SIM905
    "LY ML MO MR MW NR QA RW SB SC SL SR ST SY TD TG TK TL TO TV UG VU YE ZW".split()
)
LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class Address:
    """In Stripe's words; empty texts are left out."""

    country: str
    postal_code: str = ""
    line1: str = ""
    city: str = ""
    state: str = ""

    def filled(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}


def clean(address: Address) -> Address:
    """As people mean it: codes in capitals, blanks trimmed."""
    return Address(
        country=address.country.strip().upper(),
        postal_code=" ".join(address.postal_code.upper().split()),
        line1=" ".join(address.line1.split()),
        city=" ".join(address.city.split()),
        state=address.state.strip().upper(),
    )


def complaints(address: Address) -> dict[str, str]:
    """What is wrong, by field, in words for the person who typed it; empty: nothing."""
    found: dict[str, str] = {}
    if not _COUNTRY.match(address.country):
        found["country"] = "Choose your country."
    elif complaint := _postal_code(address):
        found["postal_code"] = complaint
    if address.country in _WITH_STATES and not _STATE.match(address.state):
        found["state"] = "Enter the two letters of your state or province."
    for name in ("line1", "city", "state"):
        value = getattr(address, name)
        odd = len(value) > LONGEST_LINE or not value.isprintable()
        if odd and name not in found:
            found[name] = f"Use at most {LONGEST_LINE} plain characters."
    return found


def needs_state(country: str) -> bool:
    return country in _WITH_STATES


def _postal_code(address: Address) -> str | None:
    code = address.postal_code
    if not code:
        return None if address.country in _WITHOUT_POSTAL_CODES else "Enter your postal code."
    if address.country == "US" and not _POSTAL_CODES["US"].match(code):
        return "Enter a ZIP code of five digits, such as 94105."
    if address.country == "CA" and not _POSTAL_CODES["CA"].match(code):
        return "Enter a postal code such as K1A 0B1."
    return None if _ANY_POSTAL_CODE.match(code) else "This does not look like a postal code."
