"""Integrators at the broker: a user each, who may read what is told outside into queues of their own, and nothing else.

`python -m fleet.integrators acme --events points.activity_logged.v1` prints the commands of `rabbitmqctl` that make one;
`make integrator` runs them against local mode's node. Everything is named after the integrator: the user, the prefix of the
queues they may declare, and the key of `propel.replay` that they may read.
"""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Sequence

from fleet import topology

NAME = re.compile(r"[a-z][a-z0-9-]{1,31}")
# Names that would give a part of the fleet, or of RabbitMQ itself, to an integrator.
TAKEN = frozenset({*topology.SERVICES, "topology", "desk", "propel", "retry", "amq", "guest"})
# What a queue of theirs may hold, and how long one is kept that nobody reads: bounds that no argument of theirs loosens.
BOUNDS = {"max-length": 200_000, "max-length-bytes": 256 * 1024 * 1024, "expires": 14 * 24 * 3600 * 1000}
LIMITS = {"max-connections": 20, "max-channels": 100}


class WrongIntegrator(ValueError):
    """A name or an event that cannot be; the message says what to do."""


def check(name: str, types: Sequence[str]) -> list[str]:
    """The events in their order, all public ones when none is named. Raises WrongIntegrator."""
    if not NAME.fullmatch(name):
        raise WrongIntegrator(f"NAME={name} must be 2 to 32 small letters, digits and hyphens, beginning with a letter")
    if name in TAKEN:
        raise WrongIntegrator(f"NAME={name} is a part of the fleet's own: choose another")
    public = topology.public_keys()
    unknown = sorted(set(types) - set(public))
    if unknown:
        raise WrongIntegrator(
            f"EVENTS: not a public event: {', '.join(unknown)}. The catalogue is at /api/events/docs/; there are"
            f" {', '.join(public)}"
        )
    return sorted(set(types)) or public


def commands(name: str, types: Sequence[str], password: str) -> list[list[str]]:
    """The commands of rabbitmqctl that make the integrator, or change them; repeating all of them changes nothing.

    `add_user` fails for one that is there: whoever runs these goes on, and `change_password` sets the password.
    """
    vhost, own = ["-p", topology.VHOST], f"^{name}[.]"
    read = f"^({name}[.].*|{topology.PUBLIC.replace('.', '[.]')}|{topology.REPLAY.replace('.', '[.]')})$"
    keys = f"^({'|'.join(type_.replace('.', '[.]') for type_ in types)})$"
    return [
        ["add_user", name, password],
        ["change_password", name, password],
        ["set_permissions", *vhost, name, own, own, read],
        # The keys of bindings: only whole names, so that no wildcard gives what was not asked for.
        ["set_topic_permissions", *vhost, name, topology.PUBLIC, "^$", keys],
        ["set_topic_permissions", *vhost, name, topology.REPLAY, "^$", f"^{name}$"],
        ["set_user_limits", name, json.dumps(LIMITS)],
        ["set_operator_policy", *vhost, "--apply-to", "queues", f"integrator-{name}", own, json.dumps(BOUNDS)],
    ]


def removal(name: str) -> list[list[str]]:
    """The commands that end an integrator. Their queues go by themselves, 14 days after the last reader."""
    return [["delete_user", name]]


def main() -> int:
    """Print the commands, for a node that is not ours to reach; the password stands for itself as $PASSWORD."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--events", default="", help="separated by commas; all public ones by default")
    given = parser.parse_args()
    try:
        types = check(given.name, [each for each in given.events.split(",") if each])
    except WrongIntegrator as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    for words in commands(given.name, types, "$PASSWORD"):
        line = " ".join('"$PASSWORD"' if word == "$PASSWORD" else shlex.quote(word) for word in words)
        sys.stdout.write(f"rabbitmqctl {line}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
