"""Settings, secrets and ports of a local fleet."""

import socket

import pytest

from deploy.local import layout


def test_the_environment_wins_over_the_env_file(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "ROOT", tmp_path)
    (tmp_path / ".env").write_text("# a comment\nLOG_LEVEL=DEBUG\nexport NAME='with spaces'\nPORT_BASE=18000\n")
    found = layout.settings({"PORT_BASE": "19000"})
    assert found == {"LOG_LEVEL": "DEBUG", "NAME": "with spaces", "PORT_BASE": "19000"}


def test_every_part_has_its_own_port_within_the_span():
    offsets = list(layout.OFFSETS.values())
    assert len(set(offsets)) == len(offsets)
    assert max(offsets) < layout.SPAN


@pytest.mark.parametrize(
    "values", [{"PORT_BASE": "abc"}, {"PORT_BASE": "65500"}, {"GATEWAY_PORT": "0"}, {"GATEWAY_PORT": "17005"}]
)
def test_ports_that_make_no_sense_are_refused_with_the_variable_named(values):
    with pytest.raises(layout.PortsError, match=next(iter(values))):
        layout.chosen_ports(values)


def test_a_taken_port_is_named_with_its_part_and_the_way_out():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = layout.Ports(gateway=other.getsockname()[1], base=17000)
        with pytest.raises(layout.PortsError) as refused:
            layout.check_free(ports, ["gateway"])
    assert f"Port {ports.gateway}, needed for gateway" in str(refused.value)
    assert "make up GATEWAY_PORT=" in str(refused.value)


def test_a_secret_is_made_once_and_private(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "SECRETS", tmp_path / "secrets")
    first = layout.secret("anything")
    assert layout.secret("anything") == first
    assert len(first) >= 32
    assert (tmp_path / "secrets/anything").stat().st_mode & 0o077 == 0
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
