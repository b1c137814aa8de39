"""What integrations writes by mail: that a webhook was switched off. The words are in `mails/`."""

from pathlib import Path

from sqlalchemy.orm import Session

from fleet import mail
from fleet.settings import read
from services.integrations.models import Webhook
from services.integrations.settings import SiteSettings

FOLDER = Path(__file__).resolve().parent / "mails"


def disabled(session: Session, webhook: Webhook) -> None:
    """Tell the contact of a webhook that nothing is sent to it any more, why, and what to do."""
    values = {
        "name": mail.one_line(webhook.name),
        "url": webhook.url,
        "because": webhook.disabled_because or "",
        "since": f"{webhook.disabled_at:%Y-%m-%dT%H:%M:%SZ}",
        "enable": f"{read(SiteSettings).url}/api/webhooks/{webhook.id}/enable/",
        "replay": f"{read(SiteSettings).url}/api/webhooks/{webhook.id}/replay/",
    }
    mail.queue(session, webhook.contact, mail.render(FOLDER, "disabled", values))
