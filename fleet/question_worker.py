"""Questions to a service: answered as they come, beside everything else. See fleet/consumer.py."""

from typing import Any

from pika import BasicProperties
from sqlalchemy import text

from fleet import logs, metrics, outbox, topology
from fleet.database import transaction
from fleet.messages import CONTENT_TYPE, Envelope, Reply, encode
from fleet.problems import Problem, Unavailable
from fleet.queue_worker import Delivery, QueueWorker, context_of

log = logs.get(__name__)


class QuestionWorker(QueueWorker):
    """Answers questions directly, on the channel they came by: they change nothing and wait behind no command."""

    def work(self, deliveries: list[Delivery]) -> None:
        """Answer each question; one that cannot be answered is told so, never kept."""
        for delivery in deliveries:
            if not self._read(delivery):
                continue
            envelope = delivery.envelope
            assert envelope is not None
            with context_of(envelope), metrics.handling.labels(self.queue).time():
                reply = self._answer(envelope)
            if envelope.reply_to:
                self._publish(delivery, reply)
            self._settle([delivery], "answered")
        if not self._fast:
            self._fast = True
            self.consumer.in_io(self._speed_up)

    def _answer(self, envelope: Envelope[Any]) -> Envelope[Reply]:
        try:
            with transaction() as session:
                session.execute(text("SET TRANSACTION READ ONLY"))
                result = self.consumer.subscriptions.handlers[envelope.type](session, envelope)
            return outbox.reply_envelope(self.consumer.service, envelope, result=result)
        except Problem as problem:
            return outbox.reply_envelope(self.consumer.service, envelope, problem=problem.to_dict())
        except Exception as error:
            log.error("question_failed", type=envelope.type, message_id=str(envelope.id), exc_info=error)
            sorry = Unavailable("This cannot be answered at the moment. Try again in a minute.")
            return outbox.reply_envelope(self.consumer.service, envelope, problem=sorry.to_dict())

    def _publish(self, delivery: Delivery, reply: Envelope[Reply]) -> None:
        properties = BasicProperties(
            content_type=CONTENT_TYPE,
            message_id=str(reply.id),
            type=reply.type,
            user_id=self.consumer.service,
            delivery_mode=1,
        )
        body = encode(reply)
        self.consumer.in_io(
            lambda: (
                delivery.channel.is_open
                and delivery.channel.basic_publish(topology.REPLIES, reply.type, body, properties)
            )
        )
