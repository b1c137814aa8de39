"""Does each rule notice? The manifests are spoilt in one place at a time, and the rule that stands for it must say so."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s.reading import Manifest, named, of_kind, workloads
from tests.k8s.rules import RULES

Spoil = Callable[[list[Manifest]], Any]


def work(manifests: list[Manifest], name: str) -> Any:
    """The pod of a workload, by the beginning of its name."""
    return next(each for each in workloads(manifests) if each.name.startswith(name)).pod


def main(manifests: list[Manifest], name: str) -> Any:
    return work(manifests, name)["containers"][0]


def one(manifests: list[Manifest], kind: str, name: str) -> Any:
    return named(manifests, kind)[name]


def broker_pod(manifests: list[Manifest]) -> Any:
    """What is put over the pods that the broker's operator makes."""
    return one(manifests, "RabbitmqCluster", "rabbitmq")["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]


def drop(manifests: list[Manifest], kind: str, name: str) -> None:
    manifests.remove(one(manifests, kind, name))


def settings_of(manifests: list[Manifest], service: str) -> Any:
    return next(
        each["data"]
        for each in of_kind(manifests, "ConfigMap")
        if each["metadata"]["name"].startswith(f"{service}-settings")
    )


def without(items: list[Any], name: str) -> list[Any]:
    assert any(each["name"] == name for each in items)
    return [each for each in items if each["name"] != name]


def opened(port: int, who: Manifest) -> Manifest:
    return {"from": [who], "ports": [{"port": port}]}


# (what is spoilt, the rule that must notice, what it must say)
MUTATIONS: list[tuple[str, Spoil, str, str]] = [
    # --- Pods
    (
        "a memory limit is gone",
        lambda m: main(m, "points-web")["resources"]["limits"].pop("memory"),
        "resources_are_bounded",
        "points-web/web: its memory",
    ),
    (
        "a CPU limit",
        lambda m: main(m, "points-web")["resources"]["limits"].update(cpu="1"),
        "resources_are_bounded",
        "is throttled",
    ),
    (
        "no request",
        lambda m: main(m, "users-relay")["resources"]["requests"].pop("cpu"),
        "resources_are_bounded",
        "users-relay",
    ),
    (
        "a disk without bounds",
        lambda m: main(m, "bot-client")["resources"]["limits"].pop("ephemeral-storage"),
        "resources_are_bounded",
        "may fill",
    ),
    (
        "a database without bounds",
        lambda m: one(m, "Cluster", "points-db")["spec"].pop("resources"),
        "resources_are_bounded",
        "points-db",
    ),
    (
        "a capability",
        lambda m: main(m, "gateway")["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
        "pods_are_restricted",
        "has capabilities",
    ),
    (
        "capabilities kept",
        lambda m: main(m, "gateway")["securityContext"].pop("capabilities"),
        "pods_are_restricted",
        "has capabilities",
    ),
    (
        "rights to gain",
        lambda m: main(m, "points-web")["securityContext"].update(allowPrivilegeEscalation=True),
        "pods_are_restricted",
        "may gain rights",
    ),
    (
        "an image to write to",
        lambda m: main(m, "points-consumer")["securityContext"].update(readOnlyRootFilesystem=False),
        "pods_are_restricted",
        "may write to its image",
    ),
    (
        "an init container as root",
        lambda m: work(m, "points-web")["initContainers"][0]["securityContext"].update(runAsUser=0),
        "pods_are_restricted",
        "runs as root",
    ),
    (
        "root allowed",
        lambda m: work(m, "users-web")["securityContext"].pop("runAsNonRoot"),
        "pods_are_restricted",
        "a user of its own",
    ),
    (
        "no seccomp profile",
        lambda m: work(m, "users-web")["securityContext"].pop("seccompProfile"),
        "pods_are_restricted",
        "seccomp",
    ),
    (
        "the machine's network",
        lambda m: work(m, "users-web").update(hostNetwork=True),
        "pods_are_restricted",
        "shares something",
    ),
    (
        "the machine's disk",
        lambda m: work(m, "users-web")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
        "pods_are_restricted",
        "hostPath",
    ),
    (
        "a scratch folder without bounds",
        lambda m: work(m, "users-web")["volumes"][-1].update(name="tmp", emptyDir={}),
        "pods_are_restricted",
        "may fill",
    ),
    (
        "the broker's first container with rights",
        lambda m: broker_pod(m)["initContainers"][1].pop("securityContext"),
        "pods_are_restricted",
        "definitions",
    ),
    (
        "the broker with capabilities",
        lambda m: broker_pod(m)["containers"][0].pop("securityContext"),
        "pods_are_restricted",
        "RabbitmqCluster/rabbitmq",
    ),
    (
        "the broker as root",
        lambda m: broker_pod(m)["securityContext"].pop("runAsNonRoot"),
        "pods_are_restricted",
        "the broker's pods",
    ),
    (
        "an unrestricted namespace",
        lambda m: one(m, "Namespace", "propel")["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce": "baseline"}
        ),
        "the_namespace_is_restricted",
        "does not enforce",
    ),
    (
        "a version of the standard that moves",
        lambda m: one(m, "Namespace", "propel")["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce-version": "latest"}
        ),
        "the_namespace_is_restricted",
        "does not pin",
    ),
    (
        "a token",
        lambda m: work(m, "points-web").pop("automountServiceAccountToken"),
        "nobody_has_a_token_of_the_cluster",
        "mounts a token",
    ),
    (
        "an account shared",
        lambda m: work(m, "points-web").update(serviceAccountName="users-web"),
        "nobody_has_a_token_of_the_cluster",
        "same account",
    ),
    (
        "rights in the cluster",
        lambda m: m.append(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "x", "namespace": "propel"},
            }
        ),
        "nobody_has_a_token_of_the_cluster",
        "gives rights",
    ),
    (
        "an image by no tag",
        lambda m: main(m, "points-web").update(image="registry.example/propel/points"),
        "images_are_named_exactly",
        "whatever",
    ),
    (
        "the latest image",
        lambda m: main(m, "points-web").update(image="registry.example/propel/points:latest"),
        "images_are_named_exactly",
        "whatever",
    ),
    (
        "a service left at another release",
        lambda m: main(m, "points-web").update(image="registry.example/propel/points:v0-0-9"),
        "images_are_named_exactly",
        "several tags",
    ),
    # --- Probes and ends
    ("no liveness probe", lambda m: main(m, "rewards-web").pop("livenessProbe"), "probes_fit_the_role", "no liveness"),
    (
        "no readiness probe",
        lambda m: main(m, "points-relay").pop("readinessProbe"),
        "probes_fit_the_role",
        "no readiness",
    ),
    ("no startup probe", lambda m: main(m, "points-relay").pop("startupProbe"), "probes_fit_the_role", "no startup"),
    (
        "liveness that asks the database",
        lambda m: main(m, "rewards-web")["livenessProbe"]["httpGet"].update(path="/readyz"),
        "probes_fit_the_role",
        "its liveness probe asks /readyz",
    ),
    (
        "a gateway that dies with its services",
        lambda m: main(m, "gateway")["livenessProbe"]["httpGet"].update(path="/health/"),
        "probes_fit_the_role",
        "its liveness probe asks /health/",
    ),
    (
        "no time to hear of the end",
        lambda m: main(m, "points-web").pop("lifecycle"),
        "ends_are_graceful",
        "points-web is cut off",
    ),
    (
        "killed too early",
        lambda m: work(m, "points-web").update(terminationGracePeriodSeconds=30),
        "ends_are_graceful",
        "points-web is cut off",
    ),
    # --- How many
    (
        "two Discord clients",
        lambda m: one(m, "Deployment", "bot-client")["spec"].update(replicas=2),
        "rollouts_take_nothing_away",
        "two at Discord",
    ),
    (
        "a Discord client that rolls",
        lambda m: one(m, "Deployment", "bot-client")["spec"].update(strategy={"type": "RollingUpdate"}),
        "rollouts_take_nothing_away",
        "two at Discord",
    ),
    (
        "a door taken away first",
        lambda m: one(m, "Deployment", "points-web")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
        "rollouts_take_nothing_away",
        "takes one away",
    ),
    (
        "a selector of everybody",
        lambda m: one(m, "Deployment", "points-web")["spec"].update(
            selector={"matchLabels": {"app.kubernetes.io/component": "web"}}
        ),
        "rollouts_take_nothing_away",
        "others' pods",
    ),
    (
        "no budget of disruption",
        lambda m: drop(m, "PodDisruptionBudget", "points-web"),
        "one_may_go_at_a_time",
        "points-web has 0",
    ),
    (
        "a budget that lets two go",
        lambda m: one(m, "PodDisruptionBudget", "gateway")["spec"].update(maxUnavailable=2),
        "one_may_go_at_a_time",
        "gateway",
    ),
    (
        "all on one machine",
        lambda m: work(m, "gateway").pop("topologySpreadConstraints"),
        "one_may_go_at_a_time",
        "one machine",
    ),
    (
        "a door alone",
        lambda m: one(m, "HorizontalPodAutoscaler", "points-web")["spec"].update(minReplicas=1),
        "nothing_stands_on_one_leg",
        "points-web may be a single one",
    ),
    (
        "no second relay",
        lambda m: one(m, "Deployment", "points-relay")["spec"].update(replicas=1),
        "nothing_stands_on_one_leg",
        "no relay waits",
    ),
    (
        "a number that fights the scaler",
        lambda m: one(m, "Deployment", "points-web")["spec"].update(replicas=1),
        "nothing_stands_on_one_leg",
        "every release resets it",
    ),
    (
        "a consumer scaled by its CPU",
        lambda m: one(m, "HorizontalPodAutoscaler", "points-web")["spec"]["scaleTargetRef"].update(
            name="points-consumer"
        ),
        "nothing_stands_on_one_leg",
        "follow their queues",
    ),
    (
        "a scaler of nothing",
        lambda m: one(m, "ScaledObject", "points-consumer")["spec"]["scaleTargetRef"].update(name="points-worker"),
        "nothing_stands_on_one_leg",
        "does not exist",
    ),
    (
        "a database of one",
        lambda m: one(m, "Cluster", "points-db")["spec"].update(instances=1),
        "nothing_stands_on_one_leg",
        "only copy",
    ),
    (
        "a broker without a majority",
        lambda m: one(m, "RabbitmqCluster", "rabbitmq")["spec"].update(replicas=2),
        "nothing_stands_on_one_leg",
        "no majority",
    ),
    (
        "a broker that goes at once",
        lambda m: drop(m, "PodDisruptionBudget", "rabbitmq"),
        "nothing_stands_on_one_leg",
        "two nodes",
    ),
    (
        "no archive of the log",
        lambda m: one(m, "Cluster", "users-db")["spec"].pop("plugins"),
        "data_are_backed_up",
        "sends its log nowhere",
    ),
    ("no daily copy", lambda m: drop(m, "ScheduledBackup", "users-daily"), "data_are_backed_up", "never copied"),
    (
        "backups over one another",
        lambda m: one(m, "ObjectStore", "users-backups")["spec"]["configuration"].update(
            destinationPath="s3://propel-backups/points"
        ),
        "data_are_backed_up",
        "over one another",
    ),
    # --- The network
    (
        "an open policy",
        lambda m: drop(m, "NetworkPolicy", "default-deny"),
        "connections_are_exactly_those_of_the_fleet",
        "somebody may reach stranger:80",
    ),
    (
        "a policy that lets everybody in",
        lambda m: one(m, "NetworkPolicy", "points-web")["spec"]["ingress"].append({"ports": [{"port": 8000}]}),
        "connections_are_exactly_those_of_the_fleet",
        "somebody may reach points-web:8000",
    ),
    (
        "a web process with a way to the broker",
        lambda m: (
            one(m, "NetworkPolicy", "points-web")["spec"]["egress"].append(
                {
                    "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "rabbitmq"}}}],
                    "ports": [{"port": 5671}],
                }
            ),
            one(m, "NetworkPolicy", "rabbitmq")["spec"]["ingress"].append(
                opened(5671, {"podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "propel"}}})
            ),
        ),
        "connections_are_exactly_those_of_the_fleet",
        "points-web may reach rabbitmq:5671",
    ),
    (
        "a service with a way to another's database",
        lambda m: (
            one(m, "NetworkPolicy", "points-db")["spec"]["ingress"].append(opened(5432, {"podSelector": {}})),
            one(m, "NetworkPolicy", "rewards-web")["spec"]["egress"].append(
                {"to": [{"podSelector": {}}], "ports": [{"port": 5432}]}
            ),
        ),
        "connections_are_exactly_those_of_the_fleet",
        "rewards-web may reach points-db:5432",
    ),
    (
        "a door that everybody in the cluster may use",
        lambda m: one(m, "NetworkPolicy", "points-web")["spec"]["ingress"].append(
            opened(8000, {"namespaceSelector": {}})
        ),
        "connections_are_exactly_those_of_the_fleet",
        "somebody may reach points-web:8000",
    ),
    (
        "the internet for whoever needs none",
        lambda m: one(m, "NetworkPolicy", "points-relay")["spec"]["egress"].append(
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}
        ),
        "connections_are_exactly_those_of_the_fleet",
        "points-relay may reach internet:443",
    ),
    (
        "the machine's metadata for the bot",
        lambda m: one(m, "NetworkPolicy", "bot-client")["spec"]["egress"][1]["to"][0]["ipBlock"].pop("except"),
        "connections_are_exactly_those_of_the_fleet",
        "bot-client may reach metadata:443",
    ),
    (
        "no way to the own database",
        lambda m: one(m, "NetworkPolicy", "rewards-relay")["spec"]["egress"].pop(0),
        "connections_are_exactly_those_of_the_fleet",
        "rewards-relay cannot reach rewards-db:5432",
    ),
    (
        "no names",
        lambda m: drop(m, "NetworkPolicy", "names"),
        "connections_are_exactly_those_of_the_fleet",
        "cannot reach dns:53",
    ),
    (
        "migrations without a database",
        lambda m: drop(m, "NetworkPolicy", "bot-migrate"),
        "connections_are_exactly_those_of_the_fleet",
        "bot-migrate cannot reach bot-db:5432",
    ),
    (
        "the broker's management opened",
        lambda m: one(m, "NetworkPolicy", "rabbitmq")["spec"]["ingress"].append(
            opened(15671, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}})
        ),
        "connections_are_exactly_those_of_the_fleet",
        "may reach rabbitmq:15671",
    ),
    (
        "instances that cannot ask who leads",
        lambda m: one(m, "NetworkPolicy", "users-db")["spec"]["egress"].pop(),
        "connections_are_exactly_those_of_the_fleet",
        "users-db cannot ask the cluster",
    ),
    # --- Secrets, settings, migrations
    (
        "a secret in the environment",
        lambda m: main(m, "points-web")["env"].append(
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "points-database", "key": "DATABASE_URL"}}}
        ),
        "secrets_are_files",
        "a secret in the environment",
    ),
    (
        "a secret in plain sight",
        lambda m: main(m, "points-web")["env"].append({"name": "DATABASE_URL", "value": "postgresql://a:b@c/d"}),
        "secrets_are_files",
        "DATABASE_URL in plain sight",
    ),
    (
        "a secret in a config map",
        lambda m: settings_of(m, "users").update(SMTP_URL="smtp://a:b@c"),
        "secrets_are_files",
        "holds SMTP_URL",
    ),
    (
        "a setting that is not given",
        lambda m: main(m, "reviews-consumer").update(
            env=without(main(m, "reviews-consumer")["env"], "REVIEWS_LINK_KEY_FILE")
        ),
        "everybody_is_told_what_they_read",
        "reviews-consumer/consumer is not told REVIEWS_LINK_KEY",
    ),
    (
        "a setting that is misspelt",
        lambda m: settings_of(m, "points").update(PROGRAMM_TIMEZONE="UTC"),
        "everybody_is_told_what_they_read",
        "PROGRAMM_TIMEZONE is no setting",
    ),
    (
        "nobody says where the keys are",
        lambda m: settings_of(m, "points").pop("JWKS_URL"),
        "everybody_is_told_what_they_read",
        "points-web/web is not told JWKS_URL",
    ),
    (
        "a secret that nobody needs",
        lambda m: main(m, "points-web")["env"].append(
            {"name": "DISCORD_TOKEN_FILE", "value": "/etc/propel/database/DATABASE_URL"}
        ),
        "everybody_is_told_what_they_read",
        "has no use for DISCORD_TOKEN",
    ),
    (
        "a web process that knows the broker",
        lambda m: work(m, "points-web")["volumes"].append(
            {"name": "broker", "secret": {"secretName": "points-broker"}}
        ),
        "web_processes_do_not_know_the_broker",
        "points-web knows the broker",
    ),
    (
        "another service's secret",
        lambda m: work(m, "rewards-web")["volumes"].append({"name": "x", "secret": {"secretName": "points-database"}}),
        "each_secret_belongs_to_one_service",
        "rewards-web mounts points-database",
    ),
    (
        "a secret that nobody makes",
        lambda m: drop(m, "ExternalSecret", "points-broker"),
        "references_lead_somewhere",
        "points-broker, which nobody makes",
    ),
    (
        "a secret without its key",
        lambda m: one(m, "ExternalSecret", "points-broker")["spec"]["target"]["template"].update(data={"AMQP": "x"}),
        "references_lead_somewhere",
        "AMQP_URL_FILE is",
    ),
    (
        "a service that leads nowhere",
        lambda m: one(m, "Service", "points-web")["spec"]["selector"].update({"app.kubernetes.io/component": "wed"}),
        "references_lead_somewhere",
        "points-web leads to 0",
    ),
    (
        "a part that the gateway does not know",
        lambda m: main(m, "gateway").update(
            args=[word for word in main(m, "gateway")["args"] if "rewards-relay" not in word]
        ),
        "the_gateway_knows_every_part",
        "does not know rewards-relay",
    ),
    (
        "a service at another port",
        lambda m: main(m, "gateway").update(
            args=[word.replace("points-web:8000", "points-web:8080") for word in main(m, "gateway")["args"]]
        ),
        "the_gateway_knows_every_part",
        "sends to points-web:8080",
    ),
    (
        "no migrations",
        lambda m: drop(m, "Job", "points-migrate-v0-1-0"),
        "migrations_come_first",
        "nobody migrates points",
    ),
    (
        "migrations of another release",
        lambda m: one(m, "Job", "points-migrate-v0-1-0")["metadata"].update(name="points-migrate-v0-0-9"),
        "migrations_come_first",
        "another release",
    ),
    (
        "nobody waits for migrations",
        lambda m: work(m, "points-web").pop("initContainers"),
        "migrations_come_first",
        "points-web does not wait",
    ),
    (
        "the owner's password at the door",
        lambda m: work(m, "points-web")["volumes"].append({"name": "owner", "secret": {"secretName": "points-owner"}}),
        "migrations_come_first",
        "has the owner's password",
    ),
    (
        "labels gone",
        lambda m: next(each for each in workloads(m) if each.name == "points-web").labels.pop(
            "app.kubernetes.io/part-of"
        ),
        "everything_is_labelled",
        "points-web is not labelled",
    ),
    # --- Fields
    (
        "a misspelt field of a pod",
        lambda m: main(m, "points-web").update(readynessProbe={}),
        "fields_are_known",
        "readynessProbe",
    ),
    (
        "a misspelt field of a scaler",
        lambda m: one(m, "ScaledObject", "points-consumer")["spec"].update(maxReplicas=9),
        "fields_are_known",
        "maxReplicas",
    ),
    (
        "a misspelt field of a database",
        lambda m: one(m, "Cluster", "points-db")["spec"]["bootstrap"]["initdb"].update(postInitApplicationSql=[]),
        "fields_are_known",
        "postInitApplicationSql",
    ),
    (
        "a misspelt field of the broker",
        lambda m: one(m, "RabbitmqCluster", "rabbitmq")["spec"]["tls"].update(disableNonTlsListeners=True),
        "fields_are_known",
        "disableNonTlsListeners",
    ),
    (
        "a misspelt field of a backup",
        lambda m: one(m, "ScheduledBackup", "points-daily")["spec"].update(immediatly=True),
        "fields_are_known",
        "immediatly",
    ),
    (
        "a misspelt field of a store",
        lambda m: one(m, "ObjectStore", "points-backups")["spec"]["configuration"]["s3Credentials"].update(
            accesKeyId={}
        ),
        "fields_are_known",
        "accesKeyId",
    ),
    (
        "a misspelt field of a secret",
        lambda m: one(m, "ExternalSecret", "points-broker")["spec"].update(refreshIntervall="1h"),
        "fields_are_known",
        "refreshIntervall",
    ),
    (
        "a misspelt field of a monitor",
        lambda m: one(m, "ServiceMonitor", "web")["spec"]["endpoints"][0].update(intervall="5s"),
        "fields_are_known",
        "intervall",
    ),
    (
        "a misspelt field of an authentication",
        lambda m: one(m, "TriggerAuthentication", "points-consumer")["spec"]["secretTargetRef"][0].update(param="host"),
        "fields_are_known",
        "param",
    ),
    (
        "a misspelt field of a policy",
        lambda m: one(m, "NetworkPolicy", "points-web")["spec"].update(policyType=["Egress"]),
        "fields_are_known",
        "policyType",
    ),
    (
        "a number as text",
        lambda m: one(m, "Deployment", "points-relay")["spec"].update(replicas="2"),
        "fields_are_known",
        "replicas",
    ),
    (
        "a kind nobody knows",
        lambda m: one(m, "ScheduledBackup", "points-daily").update(kind="ScheduledBackups"),
        "fields_are_known",
        "no schema",
    ),
    (
        "a field that is missing",
        lambda m: one(m, "Cluster", "points-db")["spec"].pop("instances"),
        "fields_are_known",
        "instances",
    ),
    ("an object twice", lambda m: m.append(one(m, "Service", "points-web")), "fields_are_known", "there are two"),
]


@pytest.mark.parametrize(
    ("spoil", "rule", "saying"), [each[1:] for each in MUTATIONS], ids=[each[0] for each in MUTATIONS]
)
def test_what_is_spoilt_is_noticed(rendered, spoil, rule, saying):
    manifests = rendered("production")
    spoil(manifests)
    found = RULES[rule](manifests)
    assert any(saying in sentence for sentence in found), found


def test_every_rule_is_tried():
    assert {each[2] for each in MUTATIONS} == set(RULES)


def test_all_is_well_when_nothing_is_spoilt(rendered):
    manifests = rendered("production")
    assert [sentence for rule in RULES.values() for sentence in rule(manifests)] == []
