"""The secrets of a fleet in containers, as the files that are mounted into it: `python -m deploy.mounted FOLDER`.

One folder for each secret, as Kubernetes has them, and in it one file for each setting that it holds; nobody is given a
secret of which they do not need everything. Values are those of local mode (`.run/secrets`), made at their first use.
"""

import sys
from pathlib import Path

from deploy.local.layout import secret, settings, signing_key
from fleet.topology import SERVICES, VHOST

POSTGRES, RABBITMQ = "postgres:5432", "rabbitmq:5672"


def database_url(role: str) -> str:
    """The address of a service's database for one of its two roles."""
    return f"postgresql://{role}:{secret(f'pg_{role}')}@{POSTGRES}/{role.removesuffix('_owner')}"


def amqp_url(user: str) -> str:
    """The address of the broker for one of its users."""
    return f"amqp://{user}:{secret(f'amqp_{user}')}@{RABBITMQ}/{VHOST}"


def files() -> dict[str, str]:
    """Text of every file by `secret/NAME`; an empty one says that the setting is not given."""
    operator = settings()
    roles = [role for service in SERVICES for role in (service, f"{service}_owner")]
    found = {
        "members/MEMBER_NAMESPACE": secret("member_namespace"),
        "mail/SMTP_URL": operator.get("SMTP_URL", ""),
        "users-signing/key.pem": signing_key().read_text(encoding="utf-8"),
        "users-google/USERS_GOOGLE_CLIENT_SECRET": operator.get("USERS_GOOGLE_CLIENT_SECRET", ""),
        "reviews-links/REVIEWS_LINK_KEY": operator.get("REVIEWS_LINK_KEY") or secret("reviews_link_key"),
        "reviews-forms/REVIEWS_FORM_SECRET": operator.get("REVIEWS_FORM_SECRET", ""),
        "bot-tools/BOT_SHARED_SECRET": operator.get("BOT_SHARED_SECRET") or secret("bot_shared_secret"),
        "bot-discord/DISCORD_TOKEN": operator.get("DISCORD_TOKEN") or secret("discord_token"),
        "topology-broker/AMQP_URL": amqp_url("topology"),
        "postgres-superuser/POSTGRES_PASSWORD": secret("postgres"),
        "postgres-provision/SUPERUSER_URL": f"postgresql://postgres:{secret('postgres')}@{POSTGRES}/postgres",
        "postgres-provision/ROLE_PASSWORDS": " ".join(f"{role}={secret(f'pg_{role}')}" for role in roles),
        "account-admin/ADMIN_PASSWORD": secret("account_admin"),
        "account-student/ADMIN_PASSWORD": secret("account_student"),
    }
    for service in SERVICES:
        found[f"{service}-database/DATABASE_URL"] = database_url(service)
        found[f"{service}-owner/MIGRATION_DATABASE_URL"] = database_url(f"{service}_owner")
        found[f"{service}-broker/AMQP_URL"] = amqp_url(service)
    for user in (*SERVICES, "topology"):
        found[f"rabbitmq-users/{user}"] = secret(f"amqp_{user}")
    return found


def write(target: Path) -> None:
    """Write them below `target`, which only its owner may enter.

    The files themselves may be read by anybody: Compose mounts them as they are, into containers of another user.
    """
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o700)
    for name, text in files().items():
        path = target / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o444)


def main() -> int:
    """Write them into the folder that is named."""
    write(Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
