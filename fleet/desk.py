"""The desk of dead letters. As a part of a worker it takes out of the service's dead queue what the broker put there, and
sends round what was ordered to be. As a program it is for whoever has to decide:

    python -m fleet.desk points                          list, with the cause of each
    python -m fleet.desk points show ID                  one, with its body
    python -m fleet.desk points replay [ID] [--cause ...] [--type ...] [--dry-run]
    python -m fleet.desk points purge [ID] [--cause ...] [--type ...] [--dry-run]

The program needs the service's database only; what it orders is done by the worker, as soon as that runs.
"""

import argparse
import sys
import threading
from typing import Any
from uuid import UUID

import pika
from pika.exceptions import AMQPError
from sqlalchemy import delete, select

from fleet import dead_letters, logs, retries, topology
from fleet.database import is_outage, transaction
from fleet.dead_letters import Dead
from fleet.problems import Problem
from fleet.publisher import BrokerAway, Outgoing, Publisher, parameters
from fleet.settings import DatabaseSettings, require

log = logs.get(__name__)

EVERY_S = 0.5
AT_ONCE = 50
LISTED = 100


WORDS = {
    "delivery_limit": "it ended its consumer again and again",
    "rejected": "its consumer gave it up and could not write it down",
}


def _death(service: str, deaths: Any) -> tuple[str, str]:
    """In which of the service's queues it was read last, and why it died there; ("", "unknown") when that cannot be told.

    A message that went round for a retry died in the delay queues too. Anybody may write this header, so nothing in it is
    taken on trust: a queue that we do not have is none.
    """
    known = topology.queues()
    for each in deaths if isinstance(deaths, list) else ():
        if not isinstance(each, dict):
            continue
        queue, reason = each.get("queue"), each.get("reason")
        if isinstance(queue, str) and queue in known and queue.startswith(f"{service}."):
            return queue, reason if isinstance(reason, str) else "unknown"
    return "", "unknown"


def from_the_broker(service: str, properties: Any, body: bytes) -> Dead:
    """What lies in the dead queue: where it was read last, and why the broker gave it up."""
    queue, reason = _death(service, (properties.headers or {}).get("x-death"))
    return Dead(
        queue=queue,
        message_id=properties.message_id or "",
        type=properties.type or "",
        sender=retries.sender_of(service, properties),
        cause=f"{WORDS.get(reason, 'the broker gave it up')} ({reason})",
        body=body,
    )


def again(letter: Any) -> Outgoing:
    """A dead letter on its way back to its queue, as a first attempt; who sent it stays noted, so that rights hold."""
    return retries.round_trip(
        letter.queue,
        bytes(letter.body),
        delay=topology.RETRY_DELAYS[0],
        attempt=0,
        sender=letter.sender,
        message_id=letter.message_key,
        key=letter.id,
    )


class Desk:
    """Empties the dead queue of a service into its table, and replays, until `stop` is set."""

    ready = True

    def __init__(self, service: str, amqp_url: str, stop: threading.Event) -> None:
        self.service, self.stop, self._url = service, stop, amqp_url
        self._queue = topology.queue(service, "dead")

    def run(self) -> None:
        """Work, rest; a broker or a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                self._work_until_stopped()
            except Exception as error:
                if not (isinstance(error, AMQPError | BrokerAway | OSError) or is_outage(error)):
                    raise
                log.warning("desk_interrupted", error=type(error).__name__)
                self.stop.wait(2)

    def _work_until_stopped(self) -> None:
        connection = pika.BlockingConnection(parameters(self._url))
        try:
            channel = connection.channel()
            while not self.stop.is_set():
                busy = self.take(channel) + self.replay()
                if not busy:
                    connection.sleep(EVERY_S)
        finally:
            if connection.is_open:
                connection.close()

    def take(self, channel: Any) -> int:
        """Write down one letter of the dead queue, then acknowledge it; 0 when there is none."""
        method, properties, body = channel.basic_get(self._queue)
        if method is None:
            return 0
        dead = from_the_broker(self.service, properties, body)
        log.error("message_dead_lettered", queue=dead.queue, message_id=dead.message_id, cause=dead.cause)
        with transaction() as session:
            dead_letters.keep(session, dead)
        channel.basic_ack(method.delivery_tag)
        return 1

    def replay(self) -> int:
        """Send round what is ordered to be, and delete it once the broker has it; returns how many.

        Killed between the two, it sends again: the inbox knows it.
        """
        table = dead_letters.dead_letters
        ordered = select(table).where(table.c.replay_at.is_not(None)).order_by(table.c.id).limit(AT_ONCE)
        with transaction() as session:
            letters = session.execute(ordered.with_for_update(skip_locked=True)).all()
            if not letters:
                return 0
            publisher = Publisher(self._url)
            try:
                outcome = publisher.publish([again(letter) for letter in letters])
            finally:
                publisher.close()
            session.execute(delete(table).where(table.c.id.in_(outcome.confirmed)))
        log.info("dead_letters_replayed", count=len(outcome.confirmed), refused=len(letters) - len(outcome.confirmed))
        return len(outcome.confirmed)


def _show(letter: Any) -> str:
    orders = "  (is being sent round)" if letter.replay_at else ""
    return (
        f"{letter.id}  {letter.died_at:%Y-%m-%d %H:%M:%SZ}  {letter.type}  {letter.message_key}"
        f"  died in {letter.queue or '?'}{orders}\n        {letter.cause}\n"
    )


def act(given: argparse.Namespace) -> str:
    """What the program was asked for, done, in words. Raises Problem."""
    chosen = {"ids": [given.id] if given.id is not None else None, "cause": given.cause, "type_": given.type}
    with transaction() as session:
        if given.action == "show":
            letter = dead_letters.find(session, given.id)
            return (
                _show(letter)
                + f"        from {letter.sender or 'nobody'}\n{bytes(letter.body).decode(errors='replace')}\n"
            )
        if given.action == "list":
            rows, following = dead_letters.listed(session, cause=given.cause, type_=given.type, limit=LISTED)
            more = f"the newest {LISTED} of " if following else ""
            total = dead_letters.matching(session, **chosen)
            return "".join(map(_show, rows)) + f"{more}{total} dead letters of {given.service}\n"
        if given.action == "replay":
            done = (
                dead_letters.matching(session, **chosen)
                if given.dry_run
                else dead_letters.order_replay(session, **chosen)
            )
            return f"{done} {'would be' if given.dry_run else 'will be'} sent round\n"
        done = dead_letters.matching(session, **chosen) if given.dry_run else dead_letters.purge(session, **chosen)
        return f"{done} {'would be ' if given.dry_run else ''}thrown away\n"


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", choices=topology.SERVICES)
    parser.add_argument("action", nargs="?", choices=("list", "show", "replay", "purge"), default="list")
    parser.add_argument("id", nargs="?", type=UUID)
    parser.add_argument("--cause")
    parser.add_argument("--type")
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    require(DatabaseSettings)
    if given.action == "show" and given.id is None:
        sys.stderr.write("say which one: show ID\n")
        return 1
    try:
        sys.stdout.write(act(given))
        return 0
    except Problem as problem:
        sys.stderr.write(f"{problem.detail}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
