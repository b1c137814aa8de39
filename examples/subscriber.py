"""A subscriber to the events of Propel, which needs Python 3.11 and pika, and keeps every event exactly once.

PROPEL_AMQP_URL is the address with your user and password, PROPEL_EVENTS the events you were given, separated by commas.
`make integrator` prints this program with both filled in. It declares a queue of its own, keeps what it gets in a file of
SQLite (SUBSCRIBER_FILE), and prints a line for each event. End it when you like: what happens meanwhile waits in the queue.
"""

import json
import os
import sqlite3
import sys
import time
from urllib.parse import urlsplit

import pika
from pika.exceptions import AMQPError

AMQP_URL = os.environ.get("PROPEL_AMQP_URL", "")
EVENTS = os.environ.get("PROPEL_EVENTS", "")
NAME = urlsplit(AMQP_URL).username or "subscriber"
FILE = os.environ.get("SUBSCRIBER_FILE", f"{NAME}-events.sqlite3")


def store() -> sqlite3.Connection:
    """The events so far. `id` is a primary key: an event that comes twice is kept once."""
    found = sqlite3.connect(FILE)
    found.execute(
        "CREATE TABLE IF NOT EXISTS events"
        " (id TEXT PRIMARY KEY, type TEXT NOT NULL, subject TEXT, sequence INTEGER, body TEXT NOT NULL)"
    )
    return found


def keep(events: sqlite3.Connection, body: bytes) -> None:
    """Keep one event. Committed before it is acknowledged, so whatever ends this program loses nothing."""
    event = json.loads(body)
    row = (event["id"], event["type"], event.get("subject"), event.get("sequence"), body.decode())
    with events:
        new = events.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)", row).rowcount
    if new:
        # Of one subject a greater sequence is the later event, in whatever order they come.
        print(event["time"], event["type"], event.get("subject"), event.get("sequence"), json.dumps(event["data"]))
        sys.stdout.flush()


def subscribe(events: sqlite3.Connection) -> None:
    """Declare the queue, bind it to what was given and to replays, and read until the connection ends."""
    connection = pika.BlockingConnection(pika.URLParameters(AMQP_URL))
    channel = connection.channel()
    queue = f"{NAME}.events"
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for type_ in EVENTS.split(","):
        channel.queue_bind(queue, "propel.public", routing_key=type_)
    channel.queue_bind(queue, "propel.replay", routing_key=NAME)
    channel.basic_qos(prefetch_count=50)
    print(f"listening on {queue}", file=sys.stderr)
    for method, _properties, body in channel.consume(queue):
        keep(events, body)
        channel.basic_ack(method.delivery_tag)


def main() -> None:
    """Subscribe; a broker that is away is waited for."""
    events = store()
    while True:
        try:
            subscribe(events)
        except AMQPError as error:
            print(f"the broker does not answer ({type(error).__name__}), trying again", file=sys.stderr)
            time.sleep(2)


if __name__ == "__main__":
    if not AMQP_URL or not EVENTS:
        sys.exit("Say PROPEL_AMQP_URL and PROPEL_EVENTS: `make integrator NAME=acme` prints a program that knows both.")
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
