"""The kinds of value that settings have: addresses, secrets, keys, a policy; how each is read."""

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr, TypeAdapter, ValidationError

from twintill.domain.policy import Policy


def _database_url(value: Any) -> Any:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or not re.match(r"postgres(ql)?://", text):
        raise ValueError("must begin with postgresql://")
    return value


DatabaseUrl = Annotated[SecretStr, BeforeValidator(_database_url)]
EXAMPLE_KEY = "bm90IGEga2V5LCBidXQgaXQgaXMgMzIgYnl0ZXMgISE="


def is_key(text: str) -> bool:
    """32 bytes, in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def read_policy(text: str) -> Policy:
    """What departs from the default one, as JSON. Raises ValueError."""
    try:
        given = TypeAdapter(dict[str, Any]).validate_json(text)
    except ValidationError:
        raise ValueError("is not a JSON object") from None
    unknown = sorted(set(given) - set(Policy.__dataclass_fields__))
    if unknown:
        raise ValueError(f"does not know {', '.join(unknown)}")
    try:
        return TypeAdapter(Policy).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        rule = first.get("ctx", {}).get("error")  # what the policy itself refuses
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(str(rule or f"{where}: {first['msg']}")) from None
