"""Print an overlay and say what is wrong with it: `make k8s-render OVERLAY=production`."""

import sys

import yaml

from deploy.local.debian import Unavailable
from deploy.manifests.render import OVERLAYS, RenderError, overlays, text
from deploy.manifests.schemas import problems


def main() -> int:
    """Render, validate, print; 1 when anything is wrong."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in overlays():
        sys.stderr.write(f"say which overlay: OVERLAY={' or OVERLAY='.join(overlays())}\n")
        return 1
    try:
        rendered = text(OVERLAYS / name)
    except (RenderError, Unavailable) as reason:
        sys.stderr.write(f"{name} cannot be rendered: {reason}\n")
        return 1
    documents = [document for document in yaml.safe_load_all(rendered) if document]
    wrong = problems(documents)
    sys.stdout.write(rendered)
    for problem in wrong:
        sys.stderr.write(f"{problem}\n")
    sys.stderr.write(f"{name}: {len(documents)} objects, {len(wrong)} problems\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
