"""Examples beside the shapes that they show; a test holds each of them against its shape."""

from typing import Any

from pydantic import ConfigDict


def shown(**example: Any) -> ConfigDict:
    """`model_config = shown(id="pay_...")`: what nested shapes show already is left out."""
    return ConfigDict(json_schema_extra={"examples": [example]})
