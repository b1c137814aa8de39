"""Everything the bot says when something did not work. One place, so that nobody ever reads an internal error."""

from typing import Any

from services.bot.cards import AMBER, RED, Card, plain


class Usage(Exception):
    """A command was not typed as it must be; the text says what to do, for the person who typed it."""


def card_for(error: BaseException) -> Card:
    """What somebody reads whose command ended in `error`."""
    if isinstance(error, Usage):
        return Card(title="That did not quite work", text=str(error), colour=AMBER)
    return broken()


def broken() -> Card:
    """Something failed on our side; the log says what."""
    return Card(
        title="Sorry, that did not work",
        text="Something went wrong on our side and we have noted it. Please try again in a minute.",
        colour=RED,
    )


def not_answering() -> Card:
    """A question that nobody answered."""
    return Card(
        title="No answer at the moment",
        text="The part of Propel that knows this is not answering at the moment. Nothing was changed. "
        "Please try again in a minute.",
        colour=AMBER,
    )


def received() -> Card:
    """A command that is safe but not carried out yet."""
    return Card(
        title="Received",
        text="It is safely noted and will be done as soon as possible. You will be told here; there is no need to "
        "send it again.",
        colour=AMBER,
    )


def refused(problem: dict[str, Any]) -> Card:
    """A refusal by the service that owns the matter, in its words where these are meant for members."""
    if int(problem.get("status", 500)) >= 500:
        return not_answering()
    title = str(problem.get("title") or "That is not possible")
    detail = str(problem.get("detail") or "")
    if isinstance(errors := problem.get("errors"), list) and errors:
        # Pointers are for programs; what is wrong is for people.
        title = "Something is missing or not quite right"
        lines = [plain(str(error.get("detail", "")), 300) for error in errors if isinstance(error, dict)]
        return Card(title=title, text="\n".join(line for line in lines if line), colour=AMBER)
    return Card(title=plain(title), text="" if detail == title else plain(detail, 1000), colour=AMBER)


DIRECT_MESSAGES_CLOSED = (
    "I could not send you a direct message. Open the server's menu, choose Privacy Settings and allow direct "
    "messages, then try again; or use the same command with a slash, which only you can see."
)
SENT_DIRECTLY = "I have sent you a direct message."
