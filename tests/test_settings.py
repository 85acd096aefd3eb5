"""Settings: read from the environment, and refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import Field

from hookswitch.settings import CommaSeparated, KernelSettings, Settings, SettingsError, load


class Example(Settings):
    example_count: int = Field(3, ge=1, description="How many")
    example_names: CommaSeparated = Field((), description="Which")
    example_on: bool = Field(False, description="Whether")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KernelSettings.model_fields, *Example.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_field_is_the_variable_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_COUNT", "5")
    monkeypatch.setenv("EXAMPLE_NAMES", " a, b,,c ")
    monkeypatch.setenv("EXAMPLE_ON", "true")
    settings = load(Example)
    assert (settings.example_count, settings.example_names) == (5, ("a", "b", "c"))
    assert settings.example_on is True


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KernelSettings.model_fields, *Example.model_fields):
        monkeypatch.setenv(name.upper(), "")
    assert load(Example) == Example()
    assert load(KernelSettings).http_addr == "127.0.0.1:8080"


def test_the_documented_defaults() -> None:
    settings = load(KernelSettings)
    shown = settings.model_dump(
        include={
            *("http_addr", "default_sample_rate", "comfort_noise_enabled", "webhook_url"),
            *("speech_detection_enabled", "vsi_event_buffer_size", "vsi_replay_events"),
            *("allowed_ips", "trust_proxy_headers", "drain_timeout", "webhook_max_age"),
            *("cors_origins", "api_open", "log_level"),
        }
    )
    assert shown == {
        "http_addr": "127.0.0.1:8080",
        "default_sample_rate": 16000,
        "comfort_noise_enabled": True,
        "speech_detection_enabled": False,
        "webhook_url": "",
        "webhook_max_age": 24 * 3600,
        "vsi_event_buffer_size": 256,
        "vsi_replay_events": 10_000,
        "api_open": False,
        "allowed_ips": (),
        "trust_proxy_headers": False,
        "cors_origins": (),
        "drain_timeout": 30.0,
        "log_level": "info",
    }
    assert settings.media_workers >= 1


def test_each_choice_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the choices are numbers: the environment has only text."""
    for name, field in KernelSettings.model_fields.items():
        for choice in get_args(field.annotation) if get_origin(field.annotation) is Literal else ():
            monkeypatch.setenv(name.upper(), str(choice))
            assert getattr(load(KernelSettings), name) == choice
    assert load(KernelSettings).default_sample_rate == 48000


def test_settings_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(Example).example_count = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HTTP_ADDR", "8080"),
        ("HTTP_ADDR", "localhost:http"),
        ("HTTP_ADDR", "localhost:99999"),
        ("HTTP_ADDR", "::1:8080"),
        ("MEDIA_WORKERS", "-1"),
        ("MEDIA_WORKERS", "many"),
        ("DEFAULT_SAMPLE_RATE", "24000"),
        ("COMFORT_NOISE_ENABLED", "perhaps"),
        ("ALLOWED_IPS", "10.0.0.0/33"),
        ("ALLOWED_IPS", "10.0.0.1,nonsense"),
        ("ALLOWED_IPS", "2001:db8::/129"),
        ("ALLOWED_IPS", "fe80::1%eth0/200"),
        ("WEBHOOK_MAX_AGE", "0"),
        ("WEBHOOK_MAX_AGE", "nan"),
        ("WEBHOOK_URL", "nowhere"),
        ("WEBHOOK_URL", "ftp://example.com/"),
        ("VSI_EVENT_BUFFER_SIZE", "0"),
        ("VSI_REPLAY_EVENTS", "-5"),
        ("DRAIN_TIMEOUT", "-1"),
        ("DRAIN_TIMEOUT", "nan"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as refused:
        load(KernelSettings)
    assert str(refused.value).startswith(f"{name}: ")


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_COUNT", "0")
    monkeypatch.setenv("EXAMPLE_ON", "perhaps")
    with pytest.raises(SettingsError, match=r"EXAMPLE_COUNT.*; EXAMPLE_ON"):
        load(Example)


def test_a_secret_is_not_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEYS", "WEBHOOK_SECRET"):
        monkeypatch.setenv(name, "s3cret")
    assert "s3cret" not in repr(load(KernelSettings))


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in KernelSettings.model_fields.values())


def test_the_data_directory_follows_the_users_convention(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert load(KernelSettings).data_dir == tmp_path / "hookswitch"
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "mine"))
    assert load(KernelSettings).data_dir == tmp_path / "mine"
