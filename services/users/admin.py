"""`python -m services.users.admin USERNAME EMAIL [--role admin]`: create or reset an account, password in ADMIN_PASSWORD."""

import argparse
import sys

from fleet.database import transaction
from fleet.problems import Problem
from fleet.settings import read
from services.users import accounts, schemas
from services.users.settings import AdminSettings


def main() -> int:
    """Create or reset the account; 1 with a sentence when its data are refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("username")
    parser.add_argument("email")
    parser.add_argument("--role", choices=("student", "admin"), default="admin")
    arguments = parser.parse_args()
    try:
        schemas.check_name(arguments.username, arguments.email)
        with transaction() as session:
            member, created = accounts.ensure_account(
                session, arguments.username, arguments.email, read(AdminSettings).password, arguments.role
            )
    except Problem as problem:
        sys.stderr.write(f"{problem.title}: {problem.detail}\n")
        return 1
    sys.stdout.write(f"{'created' if created else 'reset'} {member.role} {member.username}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
