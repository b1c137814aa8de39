"""Writes a complete nginx configuration out of the templates beside this file. Standard library only, and one package's
files: those of the viewer of API documents (gateway/documents.py).

    python -m gateway.render --target DIR --listen 0.0.0.0:8080 --upstream users=users:8000 --probe "users worker=..."

takes the settings below from the environment (containers); local mode calls `render`. All paths inside are relative:

    nginx -p DIR -c DIR/nginx.conf -g 'daemon off;'      nginx -p DIR -c DIR/nginx.conf -s reload

DIR may be mounted read-only, but for DIR/run. Whoever renders into the directory of a running nginx follows with reload.
"""

import argparse
import grp
import ipaddress
import os
import pwd
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import documents
from gateway.problems import ABSENT, answer, configuration

TEMPLATES = Path(__file__).resolve().parent
SERVICES = ("users", "points", "rewards", "reviews", "bot", "integrations")
# Where requests can go: the services, and the process of streams and long waits, which is one more.
DOORS = (*SERVICES, "integrations-stream")


@dataclass(frozen=True)
class Setting:
    """A name that an operator may set. `pattern` is what a value must look like, None when it is checked elsewhere."""

    default: str
    help: str
    pattern: str | None = "[1-9][0-9]{0,5}"


SETTINGS: dict[str, Setting] = {
    "GATEWAY_TOKEN_RATE": Setting("100", "requests a second with one token"),
    "GATEWAY_TOKEN_BURST": Setting("400", "requests with one token that may come at once"),
    "GATEWAY_ADDRESS_RATE": Setting("200", "requests a second from one address (a campus shares one)"),
    "GATEWAY_ADDRESS_BURST": Setting("800", "requests from one address that may come at once"),
    "GATEWAY_REGISTER_PER_MINUTE": Setting("30", "registrations a minute from one address"),
    "GATEWAY_LOGIN_PER_MINUTE": Setting("60", "logins a minute from one address"),
    "GATEWAY_VALIDATE_PER_MINUTE": Setting("20", "looks for a Discord name a minute from one address"),
    "GATEWAY_HEALTH_RATE": Setting("20", "looks at /health/ a second from one address"),
    "GATEWAY_CLIENT_SECONDS": Setting("10", "seconds a client may pause while it sends headers or a body"),
    "GATEWAY_ANSWER_SECONDS": Setting("35", "seconds a service may take for an answer; more than gunicorn's timeout"),
    "GATEWAY_WORKERS": Setting("2", "nginx's worker processes; one serves more than the services behind it"),
    "GATEWAY_ACCESS_LOG": Setting("run/access.log", "a file, or /dev/stdout", "[A-Za-z0-9/._-]+"),
    "GATEWAY_ERROR_LOG": Setting("run/error.log", "a file, or stderr", "[A-Za-z0-9/._-]+"),
    "GATEWAY_TRUSTED_PROXIES": Setting(
        "", "networks of load balancers in front, whose X-Forwarded-For is believed", None
    ),
    "GATEWAY_TLS_CERT": Setting(
        "", "file with the certificate chain; together with the key it turns TLS on", "[^\"'$;{}\\s]*"
    ),
    "GATEWAY_TLS_KEY": Setting("", "file with the private key of the certificate", "[^\"'$;{}\\s]*"),
    "CORS_ORIGINS": Setting("", "origins whose pages may call the API, separated by spaces; none by default", None),
}
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_LISTEN = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+|\*):[0-9]{1,5}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_PART = re.compile(r"[a-z][a-z0-9_ -]{0,40}")


def _network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _checked(settings: Mapping[str, str]) -> dict[str, str]:
    """Every setting with its value. Raises ValueError that names all wrong ones at once."""
    values = {name: settings.get(name) or setting.default for name, setting in SETTINGS.items()}
    wrong = [f"{name} is not a setting of the gateway" for name in settings if name not in SETTINGS]
    for name, setting in SETTINGS.items():
        if setting.pattern and values[name] and not re.fullmatch(setting.pattern, values[name]):
            wrong.append(f"{name}={values[name]} is not usable ({setting.help})")
    wrong += [
        f"CORS_ORIGINS: {origin} is not an origin such as https://app.example.org"
        for origin in values["CORS_ORIGINS"].split()
        if not _ORIGIN.fullmatch(origin)
    ]
    wrong += [
        f"GATEWAY_TRUSTED_PROXIES: {network} is not a network such as 10.0.0.0/8"
        for network in values["GATEWAY_TRUSTED_PROXIES"].split()
        if not _network(network)
    ]
    if bool(values["GATEWAY_TLS_CERT"]) != bool(values["GATEWAY_TLS_KEY"]):
        wrong.append("GATEWAY_TLS_CERT and GATEWAY_TLS_KEY go together: give both or none")
    if wrong:
        raise ValueError("; ".join(wrong))
    return values


def _check_addresses(listen: str, upstreams: Mapping[str, str], probes: Mapping[str, str]) -> None:
    wrong = [] if _LISTEN.fullmatch(listen) else [f"{listen} is not an address to listen on, such as 127.0.0.1:8080"]
    for name, addresses in {**upstreams, **probes}.items():
        wrong += [] if _PART.fullmatch(name) else [f"{name} is not a name for a part"]
        if not addresses.split() or not all(map(_ADDRESS.fullmatch, addresses.split())):
            wrong.append(f"{name}: {addresses!r} is not address:port")
    if wrong:
        raise ValueError("; ".join(wrong))


def _user(target: Path) -> str:
    """The `user` line. Started as root, workers become nobody, except where nobody cannot reach the directory."""
    if os.geteuid() != 0:
        return ""
    reachable = all(folder.stat().st_mode & 0o001 for folder in (target, *target.parents))
    account = pwd.getpwnam("nobody") if reachable else pwd.getpwuid(0)
    return f"user {account.pw_name} {grp.getgrgid(account.pw_gid).gr_name};"


def _placeholders(values: dict[str, str], listen: str, target: Path) -> dict[str, str]:
    """What stands for each ${NAME} of the templates."""

    def minute(name: str) -> int:
        return int(values[f"GATEWAY_{name}_PER_MINUTE"])

    origins, proxies = values["CORS_ORIGINS"].split(), values["GATEWAY_TRUSTED_PROXIES"].split()
    trust = [f"    set_real_ip_from {network};" for network in proxies]
    trust += ["    real_ip_header X-Forwarded-For;", "    real_ip_recursive on;"] if proxies else []
    tls = [
        f"ssl_certificate {values['GATEWAY_TLS_CERT']};",
        f"ssl_certificate_key {values['GATEWAY_TLS_KEY']};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_session_cache shared:tls:4m;",
        "ssl_session_tickets off;",
    ]
    kinds = ("REGISTER", "LOGIN", "VALIDATE")
    return {
        **values,
        "USER": _user(target),
        "LISTEN": listen,
        "TLS_LISTEN": " ssl http2" if values["GATEWAY_TLS_CERT"] else "",
        "TLS": "\n".join(f"        {line}" for line in tls) if values["GATEWAY_TLS_CERT"] else "",
        "TRUSTED_PROXIES": "\n".join(trust),
        "CORS_ORIGINS": "\n".join(f'        "{origin}" "{origin}";' for origin in origins),
        "VARY": "Origin" if origins else "",
        # The first request of a burst is not counted in it: an address that comes new gets exactly its minute's number.
        **{f"{kind}_BURST": f" burst={minute(kind) - 1} nodelay" if minute(kind) > 1 else "" for kind in kinds},
        **{f"NEXT_{kind}": str(-(-60 // minute(kind))) for kind in kinds},
        "HEALTH_BURST": str(2 * int(values["GATEWAY_HEALTH_RATE"])),
    }


def _upstream(name: str, addresses: str) -> str:
    servers = "".join(f"    server {address};\n" for address in addresses.split())
    # Services close an idle connection after 75 s; nginx has to be the first to.
    return f"upstream {name} {{\n{servers}    keepalive 32;\n    keepalive_timeout 60s;\n}}\n"


def _parts(upstreams: Mapping[str, str], probes: Mapping[str, str]) -> tuple[str, str]:
    """The internal locations that ask each part, and the document that puts their answers together."""
    doors = {name: name for name in upstreams} | {name: addresses.split()[0] for name, addresses in probes.items()}
    locations, members = [], []
    for number, (name, door) in enumerate(doors.items()):
        locations.append(
            f"location = /_part/{number} {{\n    include part.conf;\n    proxy_pass http://{door}/readyz;\n}}\n"
        )
        members.append(f'"{name}":<!--# include virtual="/_part/{number}" -->')
    # The last include waits for all of them; only then is the mark on $fleet_state complete.
    document = (
        f'{{"gateway":"ready","parts":{{{",".join(members)}}},'
        '<!--# include virtual="/_state/end" wait="yes" -->"status":"<!--# echo var="fleet_state" -->"}\n'
    )
    return "".join(locations), document


def render(
    target: Path,
    *,
    listen: str,
    upstreams: dict[str, str],
    settings: dict[str, str],
    probes: dict[str, str] | None = None,
) -> Path:
    """Write the configuration into `target` and return the path of its nginx.conf.

    `upstreams` gives each service's `address:port` (several, separated by spaces, share the work); a service that is
    not given answers 503, and a name that no snippet routes to is left out. `probes` are further parts, asked at
    /readyz, for /health/. Raises ValueError that names everything wrong with the arguments.
    """
    values = _checked(settings)
    upstreams = {name: upstreams[name] for name in DOORS if name in upstreams}
    _check_addresses(listen, upstreams, probes or {})
    for folder in ("", "run", "services", "to", "pages"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    placeholders = _placeholders(values, listen, target.resolve())
    for template in (*TEMPLATES.glob("*.conf"), *TEMPLATES.glob("services/*.conf")):
        text = re.sub(r"\$\{([A-Z_]+)\}", lambda found: placeholders[found[1]], template.read_text(encoding="utf-8"))
        (target / template.relative_to(TEMPLATES)).write_text(text, encoding="utf-8")
    for name in DOORS:
        door = f"include proxy.conf;\nproxy_pass http://{name};\n" if name in upstreams else answer(ABSENT)
        (target / f"to/{name}.conf").write_text(door, encoding="utf-8")
    parts, document = _parts(upstreams, probes or {})
    written = {
        "upstreams.conf": "".join(_upstream(name, addresses) for name, addresses in upstreams.items()),
        "problems.conf": configuration(),
        "parts.conf": parts,
        "pages/health.json": document,
    }
    for name, text in written.items():
        (target / name).write_text(text, encoding="utf-8")
    documents.write(target, SERVICES)
    return target / "nginx.conf"


def _pairs(given: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def main() -> Path:
    """Render from the command line, with the settings of the environment; returns the directory."""
    parser = argparse.ArgumentParser(description="Write the gateway's nginx configuration.")
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--listen", required=True, help="address:port")
    parser.add_argument("--upstream", action="append", default=[], help="service=address:port")
    parser.add_argument("--probe", action="append", default=[], help="name of a further part=address:port")
    given = parser.parse_args()
    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    upstreams, probes = _pairs(given.upstream), _pairs(given.probe)
    try:
        render(given.target, listen=given.listen, upstreams=upstreams, settings=settings, probes=probes)
    except ValueError as wrong:
        sys.exit(f"The gateway cannot be configured: {wrong}.")
    target: Path = given.target
    return target.resolve()


if __name__ == "__main__":
    main()
