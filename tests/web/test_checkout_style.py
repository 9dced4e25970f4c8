"""The page's colours can be read, in the light and in the dark (WCAG 2.2 AA)."""

import re
from importlib.resources import files

import pytest

CSS = files("twintill.web").joinpath("static/checkout.css").read_text("utf-8")
TEXTS = [
    ("ink", "sheet"),
    ("ink", "tint"),
    ("ink", "bad-tint"),
    ("soft", "sheet"),
    ("soft", "tint"),
    ("soft", "ground"),
    ("bad", "sheet"),
    ("accent", "sheet"),
    ("accent-ink", "accent"),
    ("sheet", "bad"),
    ("sheet", "good"),
    ("sheet", "soft"),
]
EDGES = [("line", "sheet"), ("bad", "sheet"), ("accent", "sheet"), ("accent", "ground")]


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    return {"light": light, "dark": {**light, **dark}}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXTS)
def test_text_can_be_read(scheme: str, front: str, back: str) -> None:
    palette = palettes()[scheme]
    assert contrast(palette[front], palette[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), EDGES)
def test_fields_and_focus_can_be_seen(scheme: str, front: str, back: str) -> None:
    palette = palettes()[scheme]
    assert contrast(palette[front], palette[back]) >= 3


def test_both_schemes_name_all_colours() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", CSS))
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert [set(re.findall(r"--([\w-]+):", block)) for block in blocks] == [used, used]
