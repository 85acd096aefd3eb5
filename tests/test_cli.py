"""The command: what it prints, and with which status it ends."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookswitch import __version__, cli
from hookswitch.plugin import hookimpl
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings, Settings


class PhoneSettings(Settings):
    """A plugin's."""

    phone_color: str = "black"


class Phone:
    @hookimpl
    def register_settings(self) -> type[Settings]:
        return PhoneSettings


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The command configures the logging of its process, which is ours here."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    plugins = Plugins()
    plugins.register(Phone(), "phone")
    monkeypatch.setattr(cli, "load_plugins", lambda: plugins)
    return plugins


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        status = cli.main(list(argv))
    except SystemExit as ended:
        status = int(ended.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"hookswitch {__version__}\n", "")


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    for command in ("serve", "plugins", "config"):
        assert command in out
        assert run(capsys, command, "--help")[0] == 0


@pytest.mark.parametrize("argv", [[], ["fly"], ["serve", "now"]])
def test_what_it_does_not_know_it_refuses(
    capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert "usage: hookswitch" in err


def test_plugins_are_listed(capsys: pytest.CaptureFixture[str], phone: Plugins) -> None:
    status, out, _ = run(capsys, "plugins")
    assert status == 0
    assert out.split() == ["phone", "hookswitch", "ok", "register_settings"]


def test_a_failed_plugin_is_listed_with_the_reason(
    capsys: pytest.CaptureFixture[str], phone: Plugins
) -> None:
    phone.register(object(), "empty")
    status, out, _ = run(capsys, "plugins")
    assert status == 1
    phone_line, hooks, empty_line, why = out.splitlines()
    assert phone_line.split()[0::2] == ["phone", "ok"]
    assert hooks == "    register_settings"
    assert empty_line.split()[0::2] == ["empty", "failed"]
    assert why.startswith("    implements no hook")


def test_all_settings_are_listed_and_secrets_are_not(
    capsys: pytest.CaptureFixture[str], phone: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS", "admin:s3cret")
    monkeypatch.setenv("PHONE_COLOR", "red")
    monkeypatch.setenv("ALLOWED_IPS", "10.0.0.1, ::1")
    status, out, err = run(capsys, "config")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for name in KernelSettings.model_fields:
        assert any(line.startswith(f"{name.upper()}=") for line in lines), name
    assert "API_KEYS=********   (default: )" in lines
    assert "PHONE_COLOR=red   (default: black)" in lines
    assert "ALLOWED_IPS=10.0.0.1,::1   (default: )" in lines
    assert "s3cret" not in out


def test_an_unusable_setting_is_told(
    capsys: pytest.CaptureFixture[str], phone: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIA_WORKERS", "many")
    status, out, err = run(capsys, "config")
    assert status == 1
    assert err.startswith("hookswitch: MEDIA_WORKERS: ")
    assert "PHONE_COLOR=black" in out  # the others are shown nevertheless


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MEDIA_WORKERS", "many"),
        ("ALLOWED_IPS", "10.0.0.0/99"),
        ("API_KEYS", "nameless"),
        ("HTTP_ADDR", "0.0.0.0:0"),
    ],
)
def test_the_server_does_not_start_with_unusable_settings(
    capsys: pytest.CaptureFixture[str],
    phone: Plugins,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    text: str,
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv(name, text)
    status, _, err = run(capsys, "serve")
    assert status == 1
    assert err.startswith(f"hookswitch: {name}: ")


def test_a_taken_port_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("HTTP_ADDR", address)
        status, _, err = run(capsys, "serve")
    assert status == 1
    assert f"HTTP_ADDR: cannot listen on {address}: Address already in use" in err


@pytest.mark.parametrize("name", ["DATA_DIR", "RECORDING_DIR"])
def test_a_folder_that_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str],
    phone: Plugins,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("HTTP_ADDR", "127.0.0.1:0")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    for folder in (file, file / "below", Path("/proc/y")):
        monkeypatch.setenv(name, str(folder))
        status, _, err = run(capsys, "serve")
        assert status == 1
        assert err.startswith(f"hookswitch: {name}: cannot write to {folder}: ")
        assert err.count("\n") == 2


def test_a_queue_of_uploads_that_cannot_be_opened_is_told(
    capsys: pytest.CaptureFixture[str],
    phone: Plugins,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    queue = tmp_path / "uploads.sqlite3"
    queue.mkdir()
    monkeypatch.setenv("HTTP_ADDR", "127.0.0.1:0")
    monkeypatch.setenv("MEDIA_WORKERS", "0")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RECORDING_DIR", str(tmp_path / "recordings"))
    status, _, err = run(capsys, "serve")
    assert status == 1
    assert err == f"hookswitch: queue of uploads {queue}: unable to open database file\n"
