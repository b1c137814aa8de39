"""The one-shot job that declares exchanges, queues and bindings at AMQP_URL: `python -m fleet.topology_job`."""

import sys

import pika

from fleet import topology
from fleet.settings import BrokerSettings, read


def main() -> int:
    """Declare everything; repeating it changes nothing."""
    connection = pika.BlockingConnection(pika.URLParameters(read(BrokerSettings).url))
    topology.declare(connection.channel())
    connection.close()
    sys.stdout.write(f"declared {len(topology.EXCHANGES)} exchanges and {len(topology.queues())} queues\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
