"""A broker from the configuration: off unless named, its password from outside, its names fit for a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.alerts.alert import Rule, Severity
from engine.alerts.rules import Memory, observe
from engine.alerts.settings import AlertSettings
from engine.kernel.secret import Secret
from engine.kernel.values import MINUTE
from engine.surface.snapshot import BrokerView, Snapshot
from huntaze_console.config import InvalidSettings, Settings, load_settings
from huntaze_console.doctor import examine
from tests.fakes import MORNING


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None, *, simulated: bool = False) -> Settings:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load_settings(file, environ or {}, simulated=simulated)


def test_nothing_is_published_unless_a_broker_is_named(tmp_path: Path) -> None:
    assert load(tmp_path, "").mqtt is None
    assert load(tmp_path, '[mqtt]\nnode = "a"\n').mqtt is None


def test_a_named_broker_is_reached_by_tls_under_this_machines_name(tmp_path: Path) -> None:
    mqtt = load(tmp_path, '[mqtt]\nhost = "b"\n').mqtt

    assert mqtt is not None
    assert (mqtt.port, mqtt.tls) == (8883, True)
    assert mqtt.node
    assert mqtt.status_topic == f"huntaze/default/{mqtt.node}/status"


def test_the_password_comes_from_the_environment_or_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from-file\n")
    file.chmod(0o600)
    text = f'[mqtt]\nhost = "b"\nusername = "u"\npassword_file = "{file}"\n'

    read = load(tmp_path, text).mqtt
    told = load(tmp_path, text, {"HUNTAZE_MQTT_PASSWORD": "from-environment"}).mqtt

    assert read is not None
    assert read.password == Secret("from-file")
    assert told is not None
    assert told.password == Secret("from-environment")
    assert "from" not in repr(told)


def test_a_password_that_anybody_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("p")
    file.chmod(0o644)

    with pytest.raises(InvalidSettings, match="chmod 600"):
        load(tmp_path, f'[mqtt]\nhost = "b"\nusername = "u"\npassword_file = "{file}"\n')
    with pytest.raises(InvalidSettings, match=r"mqtt\.password.*HUNTAZE_MQTT_PASSWORD"):
        load(tmp_path, '[mqtt]\nhost = "b"\nusername = "u"\npassword = "p"\n')


@pytest.mark.parametrize("part", ["north/#", "a+b", "$SYS", "two words", "line\\nbreak"])
@pytest.mark.parametrize("key", ["fleet", "node"])
def test_a_name_that_means_something_else_in_a_topic_is_refused(tmp_path: Path, key: str, part: str) -> None:
    with pytest.raises(InvalidSettings, match=rf"mqtt\.{key}.*(must|holds)"):
        load(tmp_path, f'[mqtt]\nhost = "b"\n{key} = "{part}"\n')


def test_a_password_without_a_user_is_told_to_be_useless(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"mqtt\.username"):
        load(tmp_path, '[mqtt]\nhost = "b"\n', {"HUNTAZE_MQTT_PASSWORD": "p"})


def test_a_simulation_reads_no_password_and_publishes_on_this_machine_only(tmp_path: Path) -> None:
    environ = {"HUNTAZE_MQTT_PASSWORD": "p"}
    near = load(tmp_path, '[mqtt]\nhost = "localhost"\nusername = "u"\n', environ, simulated=True)
    far = load(tmp_path, '[mqtt]\nhost = "broker.example.com"\n', simulated=True)

    assert near.mqtt is not None
    assert not near.mqtt.password
    assert near.for_world("http://127.0.0.1:1").mqtt == near.mqtt
    assert far.for_world("http://127.0.0.1:1").mqtt is None


@pytest.mark.parametrize(("minutes", "fires"), [(0, False), (14, False), (15, True), (600, True)])
def test_a_broker_that_is_away_for_long_is_an_alert(minutes: int, fires: bool) -> None:
    away = BrokerView(state="away", since=MORNING - minutes * MINUTE, error="no route", dropped=7)

    firings = observe(Snapshot(broker=away), AlertSettings(), MORNING, Memory()).firings

    assert [firing.rule for firing in firings] == [Rule.BROKER_AWAY] * fires
    assert all(firing.severity is Severity.WARNING and "no route" in firing.summary for firing in firings)


def test_a_broker_that_is_there_or_not_wanted_is_none() -> None:
    for state in ("connected", "off"):
        there = BrokerView(state=state, since=MORNING - 600 * MINUTE)
        assert observe(Snapshot(broker=there), AlertSettings(), MORNING, Memory()).firings == ()


def test_the_alert_ends_when_the_broker_is_back() -> None:
    settings = AlertSettings()
    away = Snapshot(broker=BrokerView(state="away", since=MORNING - 20 * MINUTE, error="no route"))
    back = replace(away, broker=BrokerView(state="connected", since=MORNING))

    memory = observe(away, settings, MORNING, Memory())
    memory = observe(back, settings, MORNING + 1, memory)
    memory = observe(back, settings, MORNING + settings.clear + 2, memory)

    assert memory.firings == ()


def test_the_doctor_says_what_is_wrong_with_the_broker(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[mqtt]\nhost = "127.0.0.1"\nport = 1\n')

    found = {one.name: one for one in examine(tmp_path / "state", file, {}, online=False)}

    assert found["mqtt"].state == "fail"
    assert "127.0.0.1:1" in found["mqtt"].message
    assert "mqtt" in found["mqtt"].remedy
