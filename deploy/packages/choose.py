"""The part of requirements.lock that one image needs, versions and hashes included: `python choose.py points`.

`<image>.txt` beside this file names the packages; `make lock` writes them. Standard library only, for it runs in the
first stage of an image, before there is anything else.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def chosen(lock: str, names: set[str]) -> str:
    """The entries of the lock that are named. Raises ValueError when one of the names has none."""
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    found = [entry for entry in entries if re.split(r"[=\[ ;]", entry, maxsplit=1)[0] in names]
    there = {re.split(r"[=\[ ;]", entry, maxsplit=1)[0] for entry in found}
    if names - there:
        raise ValueError(f"requirements.lock does not have {', '.join(sorted(names - there))}")
    return "".join(found)


def main() -> int:
    """Print the entries of the image that is named."""
    names = set((HERE / f"{sys.argv[1]}.txt").read_text(encoding="utf-8").split())
    sys.stdout.write(chosen(Path(sys.argv[2]).read_text(encoding="utf-8"), names))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
