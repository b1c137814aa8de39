"""Rendered manifests as the tests look at them: pods with who made them, references, and who may talk to whom."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]

NAME, COMPONENT, PART_OF = "app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of"
NAMESPACE = "propel"
# Images that are not ours, and thus not told by settings of ours.
FOREIGN = ("docker.io/", "ghcr.io/")


@dataclass(frozen=True)
class Workload:
    """Something that makes pods."""

    kind: str
    name: str
    labels: dict[str, str]
    pod: Manifest
    manifest: Manifest

    @property
    def component(self) -> str:
        return self.labels.get(COMPONENT, "")

    @property
    def service(self) -> str:
        return self.labels.get(NAME, "")

    @property
    def containers(self) -> list[Manifest]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def main(self) -> Manifest:
        return self.pod["containers"][0]

    @property
    def is_ours(self) -> bool:
        return not self.main["image"].startswith(FOREIGN)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] in kinds]


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in of_kind(manifests, kind)}


def workloads(manifests: list[Manifest]) -> list[Workload]:
    """Whatever makes pods, but for what operators make of custom resources."""
    found = []
    for each in of_kind(manifests, "Deployment", "StatefulSet", "Job", "CronJob"):
        spec = each["spec"]["jobTemplate"]["spec"] if each["kind"] == "CronJob" else each["spec"]
        template = spec["template"]
        labels = template["metadata"].get("labels", {})
        found.append(Workload(each["kind"], each["metadata"]["name"], labels, template["spec"], each))
    return found


def environment(manifests: list[Manifest], container: Manifest) -> dict[str, str]:
    """Names and values a container is given, those of config maps included."""
    maps = named(manifests, "ConfigMap")
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source.get("configMapRef", {}).get("name"), {}).get("data", {})
    return found | {each["name"]: each.get("value", "") for each in container.get("env", [])}


def command(manifests: list[Manifest], container: Manifest) -> list[str]:
    """The words of the command with $(NAME) filled in."""
    values = environment(manifests, container)
    words = [*container.get("command", []), *container.get("args", [])]
    for name, value in values.items():
        words = [word.replace(f"$({name})", value) for word in words]
    return words


def secrets(manifests: list[Manifest]) -> dict[str, set[str]]:
    """The keys of every secret that there will be: written here, fetched from a store, or made by an operator."""
    found = {name: set(each.get("data", {})) for name, each in named(manifests, "Secret").items()}
    for name, each in named(manifests, "ExternalSecret").items():
        found[each["spec"]["target"].get("name", name)] = set(each["spec"]["target"]["template"]["data"])
    for name in named(manifests, "Cluster"):
        found[f"{name}-ca"] = {"ca.crt", "ca.key"}
    return found


# --- Who may talk to whom ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    """One end of a connection: a pod by its labels and namespace, or an address outside."""

    name: str
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    namespace: str = NAMESPACE
    address: str = ""


def _selects(selector: Manifest | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return False
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for each in selector.get("matchExpressions", []):
        value, operator = labels.get(each["key"]), each["operator"]
        holds = {
            "In": value in each.get("values", []),
            "NotIn": value not in each.get("values", []),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds[operator]:
            return False
    return True


def _is_peer(peer: Manifest, party: Party) -> bool:
    if block := peer.get("ipBlock"):
        if not party.address:
            return False
        address = ipaddress.ip_address(party.address)
        return address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(hole) for hole in block.get("except", [])
        )
    if party.address:
        return False
    spaces = peer.get("namespaceSelector")
    there = (
        party.namespace == NAMESPACE
        if spaces is None
        else _selects(spaces, {"kubernetes.io/metadata.name": party.namespace})
    )
    return there and ("podSelector" not in peer or _selects(peer["podSelector"], party.labels))


def _opens(rules: list[Manifest], side: str, other: Party, port: int) -> bool:
    for rule in rules:
        peers, ports = rule.get(side), rule.get("ports")
        if (not peers or any(_is_peer(peer, other) for peer in peers)) and (
            not ports or any(each.get("port") in (None, port) for each in ports)
        ):
            return True
    return False


def may_reach(policies: list[Manifest], source: Party, target: Party, port: int) -> bool:
    """True when the policies of the namespace let `source` open a connection to `port` of `target`."""

    def allowed(party: Party, other: Party, direction: str, side: str) -> bool:
        if party.namespace != NAMESPACE or party.address:
            return True
        own = [
            each["spec"]
            for each in policies
            if direction in each["spec"].get("policyTypes", ["Ingress"])
            and _selects(each["spec"]["podSelector"], party.labels)
        ]
        return not own or any(_opens(spec.get(direction.lower(), []), side, other, port) for spec in own)

    return allowed(source, target, "Egress", "to") and allowed(target, source, "Ingress", "from")


def parties(manifests: list[Manifest]) -> Iterator[Party]:
    """Every kind of pod in the namespace: ours, and those that operators make."""
    for each in workloads(manifests):
        name = each.labels[NAME] if each.labels[NAME] == each.component else f"{each.service}-{each.component}"
        yield Party(name, each.labels)
    for name in named(manifests, "Cluster"):
        yield Party(name, {"cnpg.io/cluster": name, "cnpg.io/podRole": "instance"})
    for name in named(manifests, "RabbitmqCluster"):
        yield Party(name, {NAME: name, COMPONENT: "rabbitmq", PART_OF: "rabbitmq"})
