"""A real mail server for the tests, which keeps what it is sent."""

import socket
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller


class Mailbox:
    """An SMTP server on a port of its own, started and stopped at will; `on_data` and `on_recipient` may interfere."""

    def __init__(self, hostname: str = "127.0.0.1", **options: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.hostname, self.options = hostname, options
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.on_data: Callable[[], str] = lambda: "250 OK"
        self.on_recipient: Callable[[str], str] = lambda _address: "250 OK"
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://{self.hostname}:{self.port}"

    def start(self) -> None:
        self._controller = Controller(self, hostname=self.hostname, port=self.port, **self.options)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:
        answer = self.on_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients.append(list(envelope.rcpt_tos))
        return self.on_data()
