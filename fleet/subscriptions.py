"""What a service hears: a table from message class to handler, filled by decorators in its `subscriptions.py`.

    subscriptions = Subscriptions("points")

    @subscriptions.handles(UserRegistered)
    def on_user_registered(session: Session, event: Envelope[UserRegistered]) -> None: ...

A handler gets the session of the transaction that also marks the message as applied, and makes one domain call. What a
handler of a command or question returns is the answer; a Problem it raises is the refusal; a command whose outcome is not
known yet returns `outbox.LATER`.
"""

from collections.abc import Callable
from typing import Any

from fleet import topology
from fleet.contracts import Contract, by_type, contract_of

Handler = Callable[..., Any]


class Subscriptions:
    """The handlers of one service, by message type."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.handlers: dict[str, Handler] = {}
        # Types whose waiting messages are handled all at once; the single handler stays for what must go alone.
        self.together: dict[str, Handler] = {}
        # Called for each reply that arrives, beside the row in `answers`; the bot finishes its deferred answers here.
        self.on_reply: Handler | None = None

    def handles(self, message: type) -> Callable[[Handler], Handler]:
        """Declare the function as the handler of `message`; TypeError when this service cannot receive it."""
        contract = contract_of(message)
        if contract.kind == "event" and contract.owner == self.service:
            raise TypeError(f"{contract.type}: a service does not subscribe to its own events")
        if contract.kind == "event" and contract.type not in topology.HEARS[self.service]:
            raise TypeError(f"{contract.type}: name it in topology.HEARS[{self.service!r}], which binds the queue")
        if contract.kind != "event" and contract.owner != self.service:
            raise TypeError(f"{contract.type} is addressed to {contract.owner}")

        def declare(handler: Handler) -> Handler:
            if contract.type in self.handlers:
                raise TypeError(f"{contract.type} already has a handler")
            self.handlers[contract.type] = handler
            return handler

        return declare

    def handles_together(self, message: type) -> Callable[[Handler], Handler]:
        """Declare the function as the handler of many waiting `message`s at once, beside the handler of a single one.

        It is called with the session and a list of envelopes and returns, in the same order, for each its answer, or
        the Problem that refuses it. What it raises fails them all, and each is then handled alone.
        """
        type_ = contract_of(message).type

        def declare(handler: Handler) -> Handler:
            if type_ not in self.handlers:
                raise TypeError(f"{type_} needs a handler of single messages first")
            self.together[type_] = handler
            return handler

        return declare

    def handles_replies(self, handler: Handler) -> Handler:
        """Declare the function as what is told of every reply to this service."""
        self.on_reply = handler
        return handler

    def contract(self, type_: str) -> Contract | None:
        """The contract of a type that has a handler here, else None."""
        return by_type[type_] if type_ in self.handlers else None
