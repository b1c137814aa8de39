"""How a link comes about, as its claimant reads it: whose web account it is, and what is still to be done."""

from typing import Any
from uuid import UUID

from fleet.contracts.users import Identity, LinkClaim, LinkConfirmation
from services.bot.cards import AMBER, BLUE, GREEN, Button, Card, Rendered, moment, name_of, plain
from services.bot.presenters import presenter
from services.bot.refusals import SENT_DIRECTLY

PREFIX = "link:"
YES, NO = "yes", "no"


def button_id(answer: str, link_id: UUID) -> str:
    """The id of a button that confirms or declines a link, found again after a restart."""
    return f"{PREFIX}{answer}:{link_id}"


def parse(custom_id: str) -> tuple[bool, UUID]:
    """Whether the button confirms, and which link; ValueError for an id that `button_id` did not make."""
    _, answer, link_id = custom_id.split(":", 2)
    if answer not in (YES, NO):
        raise ValueError("neither yes nor no")
    return answer == YES, UUID(link_id)


HOW_TO_LINK = Card(
    title="Link your web account",
    text="Sign in on the web, start a link there (Profile, Link Discord), and you get a code for ten minutes. Then type "
    "`/link` and the code here: with the slash only you can see it. Both sides are asked before anything is linked, and "
    "the points you have here come along.",
)

HOW_TO_UNLINK = Card(
    title="Unlink your web account",
    text="Sign in on the web and choose Profile, Unlink Discord: your password is needed, so it cannot be done from here. "
    "If you cannot sign in any more, ask the staff.\n\nAll points stay with the web account; here you begin anew with "
    "nothing.",
)


def exposed(deleted: bool) -> Card:
    """Why a code that everybody could read was cancelled."""
    gone = "I have deleted your message" if deleted else "Please delete your message: I am not allowed to"
    return Card(
        title="That code is cancelled",
        text=f"{gone}, and the code in it no longer works, because anybody here could have used it. Start a new link on "
        "the web, and then use `/link` with the slash, which only you can see, or type it to me by direct message.",
        colour=AMBER,
    )


@presenter("link_claim")
def show_claim(claim: LinkClaim, _arguments: dict[str, Any]) -> Rendered:
    """The web account that would be linked, with the two buttons; or that the code is not valid."""
    if claim.offer is None:
        text = (
            "It may be mistyped, used, replaced by a newer one, or older than ten minutes. Start a new link on the web to "
            "get another. After five wrong codes you have to wait for an hour."
        )
        return Rendered(Card(title="This code is not valid", text=text, colour=AMBER), short=SENT_DIRECTLY)
    offer = claim.offer
    address = f"\nAddress: {plain(offer.web_email)}" if offer.web_email else ""
    text = (
        f"Web account: {name_of(offer.web_account)}{address}\nRegistered: {moment(offer.registered_at, 'D')}\n\n"
        "Only say yes when you started this link yourself. Whoever owns that account gets the points you have and earn "
        "here. Nobody of the staff ever sends you a code."
    )
    card = Card(
        title="Is this your web account?",
        text=text,
        fields=[("Answer", f"The code ends {moment(offer.expires_at, 'R')}.")],
        colour=BLUE,
        buttons=[
            Button("Yes, link it", button_id(YES, offer.link_id)),
            Button("This is not me", button_id(NO, offer.link_id)),
        ],
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("link_confirmation")
def show_confirmation(confirmation: LinkConfirmation, _arguments: dict[str, Any]) -> Rendered:
    """How far it has come."""
    if confirmation.state == "linked":
        card = Card(
            title="Linked",
            text="Your points, submissions and rewards are now the same on the web and here. See them: /points",
            colour=GREEN,
        )
    elif confirmation.state == "waiting_for_web":
        card = Card(
            title="One step is left",
            text="Go back to the web page where you got the code and confirm your Discord name there. Until then nothing "
            "is linked.",
        )
    else:
        card = Card(title="Nothing was linked", text="The code no longer works. A new one: on the web, or /link")
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("identity")
def show_identity(identity: Identity, _arguments: dict[str, Any]) -> Rendered:
    """Who the caller is to Propel."""
    if identity.status == "suspended":
        until = f" until {moment(identity.suspended_until)}" if identity.suspended_until else ""
        standing = f"Suspended{until}: you cannot earn or spend points."
    else:
        standing = "Good"
    if identity.web_account is None:
        linked = "Not linked. How to link it: /link"
    else:
        since = f", since {moment(identity.linked_at, 'D')}" if identity.linked_at else ""
        linked = f"{name_of(identity.web_account)}{since}. How to unlink it: /unlink"
    fields = [("Web account", linked), ("Role", plain(identity.role)), ("Standing", standing)]
    card = Card(title=f"You are {name_of(identity.display_name)}", fields=fields, footer="What you have: /points")
    return Rendered(card, short=SENT_DIRECTLY)
