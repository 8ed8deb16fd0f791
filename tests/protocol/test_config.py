"""Config: validated once, and every way to give it."""

from __future__ import annotations

import pytest

from vines.config import Config
from vines.errors import InvalidConfig


def test_the_defaults_are_valid_and_frozen() -> None:
    config = Config()
    with pytest.raises(AttributeError):
        config.cluster = "other"  # type: ignore[misc]
    assert config.replace(cluster="shop").cluster == "shop"


def test_tags_are_copied_and_cannot_be_changed() -> None:
    given = {"role": "web"}
    config = Config(tags=given)
    given["role"] = "db"
    assert config.tags == {"role": "web"}
    with pytest.raises(TypeError):
        config.tags["role"] = "db"  # type: ignore[index]


NAN = float("nan")


WRONG: dict[str, list[object]] = {
    "name": ["x" * 65, "a\x00b", 5],
    "cluster": ["x" * 256, "\ud800", None],
    "tags": [
        {"": "x"},
        {"a": "x" * 513},
        {str(index): "" for index in range(17)},
        [("a", "b")],
        {"a": 1},
    ],
    "observer": [1],
    "insecure": ["yes"],
    "node_id": [bytes(15), "i" * 16],
    "sync_interval": [0.0, -1.0, float("nan"), float("inf"), "1", True],
    "reconnect_tries": [0, 1.5, True],
    "link_window": [1 << 21, 0],
    "frame_bytes": [0, 1 << 21],
    "horizon": [0],
    "log_slack": [-1],
    "fanout_min": [0],
    "forget_after": [0, 599.0, 1e10, "600", float("nan"), True],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_refused_by_its_name(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(InvalidConfig, match=name):
            Config(**{name: value})  # type: ignore[arg-type]


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidConfig, match="keepalive_timeout"):
        Config(keepalive_interval=120.0)
    with pytest.raises(InvalidConfig, match="reconnect_delay_max"):
        Config(reconnect_delay=3.0)
    with pytest.raises(InvalidConfig, match="link_window"):
        Config(frame_bytes=1 << 20)


def test_the_environment_gives_what_was_not_given() -> None:
    environment = {
        "VINES_NAME": "alpha",
        "VINES_CLUSTER": "shop",
        "VINES_TAGS": "role=web, zone = a",
        "VINES_INSECURE": "1",
        "VINES_OBSERVER": "no",
        "VINES_SYNC_INTERVAL": "2.5",
        "VINES_RECONNECT_TRIES": "3",
        "VINES_NODE_ID": "00" * 16,
        "VINES_UNKNOWN": "ignored",
    }
    config = Config.from_environment(environment, cluster="given", name=None)
    assert (config.name, config.cluster) == ("alpha", "given")
    assert config.tags == {"role": "web", "zone": "a"}
    assert (config.insecure, config.observer) == (True, False)
    assert (config.sync_interval, config.reconnect_tries) == (2.5, 3)
    assert config.node_id == bytes(16)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("INSECURE", "maybe", "='maybe' is not 1, true, yes, 0, false or no"),
        ("TAGS", "role", "='role' is not key=value,key=value"),
        ("SYNC_INTERVAL", "soon", "='soon' is not a number"),
        ("RECONNECT_TRIES", "1.5", "='1.5' is not a whole number"),
        ("NODE_ID", "xyz", "='xyz' is not 32 hex digits"),
        ("NODE_ID", "00", ": node_id must be 16 bytes or None, not"),
        ("RECONNECT_TRIES", "0", ": reconnect_tries must be a whole number from 1 to 100, not 0"),
        ("SYNC_INTERVAL", "nan", ": sync_interval must be from 0.01 to 3,600.0, not nan"),
        ("NETWORK", "moon", ": network must be local, lan or wan, not 'moon'"),
    ],
)
def test_an_environment_that_cannot_be_understood_is_refused(
    name: str, text: str, says: str
) -> None:
    with pytest.raises(InvalidConfig, match=f"^VINES_{name}{says}"):
        Config.from_environment({f"VINES_{name}": text})


def test_what_was_given_is_not_blamed_on_the_environment() -> None:
    with pytest.raises(InvalidConfig, match=r"^reconnect_tries must be"):
        Config.from_environment({"VINES_SYNC_INTERVAL": "2"}, reconnect_tries=0)


def test_every_field_can_be_given_by_the_environment() -> None:
    for name in Config.fields:
        with pytest.raises(InvalidConfig):
            Config.from_environment({f"VINES_{name.upper()}": "\x00"})
