"""The language of the fleet: every message, declared once by the service that owns it, as a frozen dataclass.

    @event("points.activity_logged.v1", public=True)
    @dataclass(frozen=True)
    class ActivityLogged: ...

An *event* is what happened (past tense, owned by its publisher). A *command* asks its owner to do something, a
*question* asks for something and changes nothing; both name who may send them and the class of their answer.
Decoders and JSON Schemas are compiled from the annotations. Adding an optional field is free; anything else is a `.v2`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from fleet.contracts.codec import Decoder, compile_decoder

C = TypeVar("C", bound=type)
Kind = Literal["event", "command", "question"]


@dataclass(frozen=True)
class Contract:
    """What is known of one message type."""

    type: str
    kind: Kind
    message: Any
    decode: Decoder
    public: bool = False
    senders: tuple[str, ...] = ()
    answer: Any = None
    decode_answer: Decoder | None = None

    @property
    def owner(self) -> str:
        """The service that publishes the event, or executes the command, or answers the question."""
        return self.type.split(".", 1)[0]


by_type: dict[str, Contract] = {}
by_class: dict[type, Contract] = {}


def _register(cls: C, contract: Contract) -> C:
    if contract.type in by_type:
        raise ValueError(f"{contract.type} is declared twice")
    by_type[contract.type] = by_class[cls] = contract
    return cls


def event(type_: str, *, public: bool = False) -> Callable[[C], C]:
    """Declare an event; `public` ones also reach integrators and may carry no personal data and no free text."""
    return lambda cls: _register(cls, Contract(type_, "event", cls, compile_decoder(cls), public=public))


def _request(kind: Kind, type_: str, senders: tuple[str, ...], answer: type | None) -> Callable[[C], C]:
    def declare(cls: C) -> C:
        decode_answer = compile_decoder(answer) if answer else None
        return _register(cls, Contract(type_, kind, cls, compile_decoder(cls), False, senders, answer, decode_answer))

    return declare


def command(type_: str, *, senders: tuple[str, ...], answer: type | None = None) -> Callable[[C], C]:
    """Declare a command: who may send it, and the class of its answer when there is one."""
    return _request("command", type_, senders, answer)


def question(type_: str, *, senders: tuple[str, ...], answer: type) -> Callable[[C], C]:
    """Declare a question: who may ask it, and the class of its answer."""
    return _request("question", type_, senders, answer)


def contract_of(message: Any) -> Contract:
    """The contract of a message object or class; KeyError when it was never declared."""
    return by_class[message if isinstance(message, type) else type(message)]


# Every owner's module declares on import; the list below is the fleet's dictionary.
from fleet.contracts import bot, integrations, points, reviews, rewards, users  # noqa: E402

__all__ = [
    "Contract",
    "bot",
    "by_class",
    "by_type",
    "command",
    "contract_of",
    "event",
    "integrations",
    "points",
    "question",
    "reviews",
    "rewards",
    "users",
]
