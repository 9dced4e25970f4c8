"""Processors of others: found by their entry point, refused with a sentence when one is wrong."""

from pathlib import Path

import pytest

from twintill.errors import SettingsError
from twintill.settings.plugs import OURS, all_plugs

PLUG = """
from twintill.processors.plug import Plug, ProcessorSettings

class Settings(ProcessorSettings):
    prefix = "TWINTILL_OTHER_"

PLUG = Plug("{name}", Settings, lambda settings: None)
"""


def installed(folder: Path, module: str, source: str) -> str:
    """A package as an installer leaves it, with one entry point; how a sentence names it."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[twintill.processors]\n{module} = {module}:PLUG\n")
    return f"{module}:PLUG"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_one_that_is_installed_is_found_behind_ours(site: Path) -> None:
    installed(site, "plug_that_is_fine", PLUG.format(name="other"))
    assert [plug.name for plug in all_plugs()] == [*(plug.name for plug in OURS), "other"]


def test_one_that_breaks_while_it_is_loaded_stops_the_start(site: Path) -> None:
    value = installed(site, "plug_that_breaks", "import a_module_that_is_nowhere")
    with pytest.raises(SettingsError, match="cannot be loaded") as refused:
        all_plugs()
    assert value in str(refused.value)
    assert "a_module_that_is_nowhere" in str(refused.value)


@pytest.mark.parametrize("name", ["sandbox", "stripe"])
def test_one_that_takes_a_name_that_is_taken_stops_the_start(site: Path, name: str) -> None:
    value = installed(site, f"plug_named_{name}", PLUG.format(name=name))
    with pytest.raises(SettingsError, match=f"Two processors are called '{name}'") as refused:
        all_plugs()
    assert value in str(refused.value)


def test_two_of_others_with_one_name_stop_the_start(site: Path) -> None:
    installed(site, "plug_of_one", PLUG.format(name="other"))
    installed(site, "plug_of_another", PLUG.format(name="other"))
    with pytest.raises(SettingsError, match="Two processors are called 'other'"):
        all_plugs()


@pytest.mark.parametrize("source", ["PLUG = 7", "class PLUG: name = 'other'"])
def test_what_is_no_plug_stops_the_start(site: Path, source: str) -> None:
    value = installed(site, f"plug_that_is_{len(source)}", source)
    with pytest.raises(SettingsError, match="is no Plug") as refused:
        all_plugs()
    assert value in str(refused.value)
