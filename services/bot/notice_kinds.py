"""Kinds of notices: each is one declaration of event, recipient, wish, question and words.

    @notice("suspended", of=UserSuspended)
    def suspended(data: Data, _words: Any) -> Card: ...

The worker turns an event into a row for each kind that wants it (`on_event`); the client asks `question`, and says what
the function makes of the event's data and of the answer, which is None where there is none. `kinds` is found by name,
because the row may be older than the process that tells it.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts import contract_of
from fleet.messages import Envelope, to_json
from services.bot import notices
from services.bot.cards import Card

Data = dict[str, Any]
Words = Callable[[Data, Any], Card]


@dataclass(frozen=True)
class Kind:
    """One kind of notice. `once`: what makes it the same notice; `wish`: the preference that turns it off; `instead`: it
    says more than another kind with the same `once`; `after`: how long it waits for such a one; `adds`: what the bot
    itself knows that the words need; `picture`: it shows what was handed in."""

    name: str
    card: Words
    who: Callable[[Any], str]
    when: Callable[[Any], bool]
    once: Callable[[Envelope[Any]], UUID]
    wish: str | None = None
    question: Callable[[Data], Any] | None = None
    adds: Callable[[Session, Any], Data] | None = None
    instead: bool = False
    after: timedelta = timedelta(0)
    picture: bool = False


@dataclass(frozen=True)
class Ending:
    """An event that ends what a card in the staff channel is about."""

    kind: str
    subject: Callable[[Any], UUID]
    adds: Callable[[Session, Any], Data] | None = None


kinds: dict[str, Kind] = {}
_of_event: dict[type, list[Kind]] = defaultdict(list)
_endings: dict[type, list[Ending]] = defaultdict(list)


def _its_member(event: Any) -> str:
    return notices.to_member(event.member_id)


def notice(
    name: str,
    *,
    of: type | None = None,
    who: Callable[[Any], str] = _its_member,
    when: Callable[[Any], bool] = lambda _event: True,
    once: Callable[[Envelope[Any]], UUID] = lambda envelope: envelope.id,
    **more: Any,
) -> Callable[[Words], Words]:
    """Declare the function as the words of the kind `name`, said when the event `of` happened and `when` holds."""

    def declare(card: Words) -> Words:
        if name in kinds:
            raise ValueError(f"the kind of notice {name} is declared twice")
        kinds[name] = Kind(name, card, who, when, once, **more)
        if of is not None:
            _of_event[of].append(kinds[name])
        return card

    return declare


def ends_card(
    kind: str, of: type, subject: Callable[[Any], UUID], adds: Callable[[Session, Any], Data] | None = None
) -> None:
    """Declare that the event `of` ends what the staff card `kind` of `subject` is about: the card is edited."""
    _endings[of].append(Ending(kind, subject, adds))


def heard() -> set[type]:
    """The events that some kind is said of, or that end a card: the worker subscribes to just these."""
    return set(_of_event) | set(_endings)


def on_event(session: Session, envelope: Envelope[Any]) -> None:
    """Owe everybody concerned their notices of an event."""
    event = envelope.data
    for kind in _of_event[type(event)]:
        if kind.when(event):
            _owe(session, kind, envelope)
    for ending in _endings[type(event)]:
        added = ending.adds(session, event) if ending.adds else {}
        changes = {"ended": to_json(event), **added}
        notices.change_card(session, ending.subject(event), ending.kind, event.member_id, changes)


def _owe(session: Session, kind: Kind, envelope: Envelope[Any]) -> None:
    event = envelope.data
    data = to_json(event) | (kind.adds(session, event) if kind.adds else {})
    if kind.instead:
        notices.say_instead(session, kind.once(envelope), kind.who(event), kind.name, data)
    else:
        recipient, member_id = kind.who(event), getattr(event, "member_id", None)
        notices.add(session, kind.once(envelope), recipient, kind.name, data, member_id=member_id, after=kind.after)


def question_type(kind: Kind, data: Data) -> str:
    """The type of what is asked for a notice of this kind."""
    assert kind.question is not None
    return contract_of(kind.question(data)).type
