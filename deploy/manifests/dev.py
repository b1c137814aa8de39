"""The fleet on a small cluster of one's own: builds the images, hands them to kind or minikube, and applies k8s/overlays/dev.

python -m deploy.manifests.dev        (`make k8s-dev`; needs Docker, kubectl, and a running kind or minikube)
"""

import shutil
import subprocess
import sys

from deploy.local.debian import Unavailable
from deploy.local.layout import ROOT
from deploy.manifests.render import OVERLAYS, RenderError, manifests, text

TAG = "dev"


def images() -> list[str]:
    """The images of ours that the overlay asks for, by the name behind propel/."""
    found: set[str] = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            image = node.get("image")
            if isinstance(image, str) and image.startswith("propel/"):
                found.add(image.removeprefix("propel/").removesuffix(f":{TAG}"))
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk(manifests(OVERLAYS / "dev"))
    return sorted(found)


def build(image: str) -> list[str]:
    """The command that builds one of them."""
    if image == "gateway":
        return ["docker", "build", "-f", "deploy/gateway.Dockerfile", "-t", f"propel/gateway:{TAG}", "."]
    service, target = ("bot", image) if image == "local-discord" else (image, "service")
    options = ["--target", target, "--build-arg", f"SERVICE={service}", "-t", f"propel/{image}:{TAG}"]
    return ["docker", "build", "-f", "deploy/Dockerfile", *options, "."]


def load(image: str) -> list[str]:
    """The command that hands it to the cluster, which takes none from a registry."""
    if shutil.which("kind"):
        return ["kind", "load", "docker-image", f"propel/{image}:{TAG}"]
    return ["minikube", "image", "load", f"propel/{image}:{TAG}"]


def main() -> int:
    """Do it; 1 with a sentence when something is missing."""
    missing = [name for name in ("docker", "kubectl") if not shutil.which(name)]
    if not shutil.which("kind") and not shutil.which("minikube"):
        missing.append("kind or minikube")
    if missing:
        sys.stderr.write(f"install {' and '.join(missing)} first\n")
        return 1
    try:
        rendered, wanted = text(OVERLAYS / "dev"), images()
        for image in wanted:
            subprocess.run(build(image), cwd=ROOT, check=True)
            subprocess.run(load(image), cwd=ROOT, check=True)
        apply = ["kubectl", "apply", "--server-side", "-f", "-"]
        subprocess.run(apply, input=rendered, text=True, cwd=ROOT, check=True)
        waiting = ["kubectl", "-n", "propel", "rollout", "status", "deployment", "--timeout=10m"]
        subprocess.run(waiting, cwd=ROOT, check=True)
    except (RenderError, Unavailable, subprocess.CalledProcessError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    sys.stdout.write(
        "kubectl -n propel port-forward service/gateway 8080:80 and service/discord 17100 open its doors\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
