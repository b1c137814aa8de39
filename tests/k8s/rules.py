"""What must hold of the manifests, as functions from them to sentences about what does not.

Each stands for a reason; tests/k8s/test_mutations.py takes them away one by one and sees that they are missed.
"""

from collections.abc import Callable
from functools import cache
from itertools import product

from deploy.manifests import schemas
from fleet.settings_reference import entries
from fleet.topology import SERVICES
from tests.deploy import needs
from tests.k8s.reading import (
    COMPONENT,
    NAME,
    PART_OF,
    Manifest,
    Party,
    Workload,
    command,
    environment,
    may_reach,
    named,
    of_kind,
    parties,
    secrets,
    workloads,
)

Rule = Callable[[list[Manifest]], list[str]]
RULES: dict[str, Rule] = {}
PRODUCTION_ONLY: set[str] = set()
# Told to libraries and to gunicorn, which are no settings of ours.
BESIDE = {"SERVICE", "WEB_WORKERS", "WEB_THREADS", "BIND", "OTEL_EXPORTER_OTLP_ENDPOINT", "SSL_CERT_FILE"}
VOLUMES = {"name", "secret", "configMap", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI"}


@cache
def settings() -> dict[str, bool]:
    """Every setting there is; True for secrets."""
    return {entry.name: entry.secret for entry in entries()} | {"MIGRATION_DATABASE_URL": True}


def rule(*, production: bool = False) -> Callable[[Rule], Rule]:
    """Put the function among the rules, by its name."""

    def put(function: Rule) -> Rule:
        RULES[function.__name__] = function
        if production:
            PRODUCTION_ONLY.add(function.__name__)
        return function

    return put


@rule()
def fields_are_known(manifests: list[Manifest]) -> list[str]:
    """A misspelt field is not refused by every cluster; it just does nothing."""
    return schemas.problems(manifests)


@rule()
def the_namespace_is_restricted(manifests: list[Manifest]) -> list[str]:
    """The cluster itself refuses what the next rule finds, at a version that does not move by itself."""
    found = []
    for each in of_kind(manifests, "Namespace"):
        labels = each["metadata"].get("labels", {})
        for mode in ("enforce", "audit", "warn"):
            if labels.get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                found.append(f"the namespace does not {mode} restricted pods")
            if not labels.get(f"pod-security.kubernetes.io/{mode}-version", "").startswith("v1."):
                found.append(f"the namespace does not pin the version it {mode}s")
    outside = {each["metadata"].get("namespace") for each in manifests if each["kind"] != "Namespace"}
    if outside != {"propel"}:
        found.append(f"not everything is in the namespace: {outside}")
    return found


@rule()
def pods_are_restricted(manifests: list[Manifest]) -> list[str]:
    """Whoever breaks into a process finds a user without rights, a system call filter, and nothing to write to."""
    found = []
    for work in workloads(manifests):
        pod, spec = work.pod, work.pod.get("securityContext", {})
        if spec.get("runAsNonRoot") is not True or not spec.get("runAsUser") or not spec.get("runAsGroup"):
            found.append(f"{work} does not run as a user of its own")
        if spec.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            found.append(f"{work} has no seccomp profile")
        if spec.get("sysctls") or any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            found.append(f"{work} shares something with its machine")
        for volume in pod.get("volumes", []):
            if set(volume) - VOLUMES:
                found.append(f"{work} mounts {set(volume) - VOLUMES}")
            if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
                found.append(f"{work}: {volume['name']} may fill its machine's disk")
        for each in work.containers:
            found += _container_problems(f"{work}/{each['name']}", each)
    return found + [problem for broker in of_kind(manifests, "RabbitmqCluster") for problem in _broker_problems(broker)]


def _broker_problems(broker: Manifest) -> list[str]:
    """The operator makes its pods; what it may leave out is put in by the override."""
    pod = broker["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
    spec, found = pod.get("securityContext", {}), []
    if spec.get("runAsNonRoot") is not True or spec.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("the broker's pods are not restricted")
    for each in (*pod["initContainers"], *pod["containers"]):
        name = f"RabbitmqCluster/{each['name']}"
        if "image" in each:
            found += _container_problems(name, each)
        elif each.get("securityContext") != {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}:
            found.append(f"{name} may gain rights or has capabilities")
    if {each["name"] for each in pod["initContainers"]} != {"setup-container", "definitions"}:
        found.append("the broker's own first container is not restricted")
    return found


def _container_problems(name: str, container: Manifest) -> list[str]:
    context = container.get("securityContext", {})
    found = []
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        found.append(f"{name} may gain rights")
    if context.get("capabilities") != {"drop": ["ALL"]}:
        found.append(f"{name} has capabilities")
    if context.get("readOnlyRootFilesystem") is not True:
        found.append(f"{name} may write to its image")
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        found.append(f"{name} runs as root")
    if any(port.get("hostPort") for port in container.get("ports", [])):
        found.append(f"{name} takes a port of its machine")
    for mount in container.get("volumeMounts", []):
        if (
            mount["mountPath"].startswith("/etc/propel/")
            and not mount.get("readOnly")
            and container["name"] != "definitions"
        ):
            found.append(f"{name} may write to {mount['mountPath']}")
    return found


@rule()
def nobody_has_a_token_of_the_cluster(manifests: list[Manifest]) -> list[str]:
    """None of us asks the cluster anything, so nobody needs a way to."""
    found = [f"{each['kind']} {each['metadata']['name']} gives rights" for each in manifests if "Role" in each["kind"]]
    accounts = named(manifests, "ServiceAccount")
    found += [
        f"{name} mounts its token"
        for name, each in accounts.items()
        if each.get("automountServiceAccountToken") is not False
    ]
    used: dict[str, Workload] = {}
    for work in workloads(manifests):
        if work.pod.get("automountServiceAccountToken") is not False:
            found.append(f"{work} mounts a token")
        account = work.pod.get("serviceAccountName", "default")
        if account not in accounts:
            found.append(f"{work} is {account}, whom nobody made")
        elif account in used and account != "parts":
            found.append(f"{work} and {used[account]} are the same account")
        used[account] = work
        if work.pod.get("enableServiceLinks") is not False:
            found.append(f"{work} has every service's address in its environment")
    return found


@rule()
def resources_are_bounded(manifests: list[Manifest]) -> list[str]:
    """Memory is promised and bounded alike, so that nobody is killed for a neighbour; CPU is promised and not cut off."""
    found = []
    for work in workloads(manifests):
        for each in work.containers:
            requests = each.get("resources", {}).get("requests", {})
            limits = each.get("resources", {}).get("limits", {})
            name = f"{work}/{each['name']}"
            if not requests.get("cpu") or not requests.get("memory") or not requests.get("ephemeral-storage"):
                found.append(f"{name} does not say what it needs")
            if limits.get("memory") != requests.get("memory"):
                found.append(f"{name}: its memory is not bounded by what it asks for")
            if "cpu" in limits:
                found.append(f"{name} is throttled")
            if not limits.get("ephemeral-storage"):
                found.append(f"{name} may fill its machine's disk")
    for each in of_kind(manifests, "Cluster", "RabbitmqCluster"):
        bounds = each["spec"].get("resources", {})
        if not bounds.get("limits", {}).get("memory") or bounds["limits"]["memory"] != bounds["requests"].get("memory"):
            found.append(f"{each['kind']} {each['metadata']['name']}: its memory is not bounded")
    return found


@rule()
def images_are_named_exactly(manifests: list[Manifest]) -> list[str]:
    """The same manifest is the same fleet tomorrow."""
    found, tags = [], set()
    for work in workloads(manifests):
        for each in work.containers:
            image = each["image"]
            _, _, tag = image.rpartition("/")[2].partition(":")
            if "@sha256:" not in image and (not tag or tag == "latest" or "TAG" in tag):
                found.append(f"{work}/{each['name']} runs whatever {image} is today")
            if not image.startswith(("docker.io/", "ghcr.io/")) and "@" not in image:
                tags.add(tag)
            if each.get("imagePullPolicy") == "Always":
                found.append(f"{work}/{each['name']} cannot start while the registry is away")
    if len(tags) > 1:
        found.append(f"one release, several tags: {sorted(tags)}")
    return found


@rule()
def probes_fit_the_role(manifests: list[Manifest]) -> list[str]:
    """Alive is the process alone, or an outage of a database becomes a storm of restarts; ready is its own database."""
    paths = {"gateway": ("/api/docs/", "/api/docs/")}
    found = []
    for work in workloads(manifests):
        probes = {kind: work.main.get(f"{kind}Probe") for kind in ("startup", "liveness", "readiness")}
        if work.kind in ("Job", "CronJob"):
            found += [f"{work} is a job and has a probe" for probe in probes.values() if probe]
            continue
        found += [f"{work} has no {kind} probe" for kind, probe in probes.items() if not probe]
        if work.is_ours and work.component not in ("discord",) and all(probes.values()):
            alive, ready = paths.get(work.component, ("/healthz", "/readyz"))
            port = "metrics" if work.main["ports"][0]["name"] == "metrics" else "http"
            for kind, path in (("startup", alive), ("liveness", alive), ("readiness", ready)):
                asked = probes[kind].get("httpGet", {})
                if (asked.get("path"), asked.get("port")) != (path, port):
                    found.append(f"{work}: its {kind} probe asks {asked.get('path')} of {asked.get('port')}")
            startup = probes["startup"]
            if startup.get("failureThreshold", 3) * startup.get("periodSeconds", 10) < 60:
                found.append(f"{work} has less than a minute to start")
    return found


@rule()
def ends_are_graceful(manifests: list[Manifest]) -> list[str]:
    """Everybody hears that a pod goes before it goes, and what it does ends before it is killed."""
    found = []
    for work in workloads(manifests):
        if work.kind == "Deployment" and work.is_ours and work.component != "discord":
            sleep = work.main.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            # gunicorn waits 20 s for requests, a worker 15 s for its threads.
            if sleep < 5 or work.pod.get("terminationGracePeriodSeconds", 30) < sleep + 20 + 15:
                found.append(f"{work} is cut off")
    return found


@rule()
def rollouts_take_nothing_away(manifests: list[Manifest]) -> list[str]:
    """A new pod is ready before an old one goes. Only the Discord client goes first: two sessions would act twice."""
    found = []
    for each in of_kind(manifests, "Deployment"):
        name, component = each["metadata"]["name"], each["metadata"]["labels"].get(COMPONENT)
        strategy = each["spec"].get("strategy", {})
        if component == "client":
            if strategy.get("type") != "Recreate" or each["spec"].get("replicas") != 1:
                found.append(f"{name}: there might be two at Discord")
        elif component in ("web", "stream", "gateway") and strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            found.append(f"{name}: a rollout takes one away first")
        selector = each["spec"]["selector"]["matchLabels"]
        if not selector.items() <= each["spec"]["template"]["metadata"]["labels"].items():
            found.append(f"{name} does not select its own pods")
        if {NAME, COMPONENT} - set(selector):
            found.append(f"{name} selects others' pods too")
    clients = [work for work in workloads(manifests) if work.component == "client"]
    if len(clients) != 1:
        found.append(f"there are {len(clients)} Discord clients")
    return found


@rule()
def one_may_go_at_a_time(manifests: list[Manifest]) -> list[str]:
    """A machine that is emptied takes one pod of a kind with it, not all."""
    found = []
    budgets = of_kind(manifests, "PodDisruptionBudget")
    for work in workloads(manifests):
        if work.kind != "Deployment" or work.component in ("client", "discord"):
            continue
        own = [each for each in budgets if each["spec"]["selector"]["matchLabels"].items() <= work.labels.items()]
        if len(own) != 1 or own[0]["spec"].get("maxUnavailable") != 1:
            found.append(f"{work} has {len(own)} budgets of disruption, or a wrong one")
        spread = work.pod.get("topologySpreadConstraints", [])
        if not any(each["labelSelector"]["matchLabels"].items() <= work.labels.items() for each in spread):
            found.append(f"{work} may lie on one machine")
    return found


@rule(production=True)
def nothing_stands_on_one_leg(manifests: list[Manifest]) -> list[str]:
    """Two of every door, two relays of which one waits, three of whatever keeps data."""
    found = []
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"].get("minReplicas", 1)
        for each in of_kind(manifests, "HorizontalPodAutoscaler")
    }
    elastic = {each["spec"]["scaleTargetRef"]["name"] for each in of_kind(manifests, "ScaledObject")}
    for each in of_kind(manifests, "Deployment"):
        name, component = each["metadata"]["name"], each["metadata"]["labels"].get(COMPONENT)
        if component in ("web", "stream", "gateway") and scaled.get(name, 0) < 2:
            found.append(f"{name} may be a single one")
        if component == "relay" and each["spec"].get("replicas") != 2:
            found.append(f"{name}: no relay waits for its turn")
        if name in {*scaled, *elastic} and "replicas" in each["spec"]:
            found.append(f"{name} is scaled, and every release resets it")
        if name in scaled and component not in ("web", "stream", "gateway"):
            found.append(f"{name} is scaled by its CPU; consumers follow their queues")
    names = {each["metadata"]["name"] for each in of_kind(manifests, "Deployment")}
    found += [f"{name} is scaled, and does not exist" for name in {*scaled, *elastic} - names]
    for each in of_kind(manifests, "Cluster"):
        if each["spec"]["instances"] < 3 or each["spec"].get("enablePDB") is not True:
            found.append(f"{each['metadata']['name']} may lose its data's only copy")
    for each in of_kind(manifests, "RabbitmqCluster"):
        config = each["spec"]["rabbitmq"]["additionalConfig"]
        if each["spec"]["replicas"] != 3 or "cluster_partition_handling = pause_minority" not in config:
            found.append("the broker has no majority")
    budgets = named(manifests, "PodDisruptionBudget")
    if budgets.get("rabbitmq", {}).get("spec", {}).get("maxUnavailable") != 1:
        found.append("two nodes of the broker may go at once")
    return found


@rule(production=True)
def data_are_backed_up(manifests: list[Manifest]) -> list[str]:
    """Each database streams its log to a store and is copied every day."""
    found = []
    stores, daily = named(manifests, "ObjectStore"), of_kind(manifests, "ScheduledBackup")
    for name, each in named(manifests, "Cluster").items():
        plugins = [plugin for plugin in each["spec"].get("plugins", []) if plugin.get("isWALArchiver")]
        kept = {plugin["parameters"]["barmanObjectName"] for plugin in plugins}
        if not kept or kept - set(stores):
            found.append(f"{name} sends its log nowhere")
        if name not in {backup["spec"]["cluster"]["name"] for backup in daily}:
            found.append(f"{name} is never copied")
        if each["spec"]["postgresql"]["parameters"].get("archive_timeout") != "60s":
            found.append(f"{name} may lose more than a minute")
    places = [each["spec"]["configuration"]["destinationPath"] for each in stores.values()]
    if len(set(places)) != len(places):
        found.append("two databases write over one another's backups")
    return found


@rule()
def references_lead_somewhere(manifests: list[Manifest]) -> list[str]:
    """A pod whose secret or volume does not exist waits for ever, and a service without pods answers nobody."""
    found = []
    there = secrets(manifests)
    maps, claims = named(manifests, "ConfigMap"), named(manifests, "PersistentVolumeClaim")
    for work in workloads(manifests):
        volumes = {volume["name"]: volume for volume in work.pod.get("volumes", [])}
        templates = {each["metadata"]["name"] for each in work.manifest["spec"].get("volumeClaimTemplates", [])}
        for volume in volumes.values():
            secret = volume.get("secret", {}).get("secretName")
            if secret and secret not in there:
                found.append(f"{work} mounts the secret {secret}, which nobody makes")
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                found.append(f"{work} mounts {volume['configMap']['name']}, which nobody makes")
            if "persistentVolumeClaim" in volume and volume["persistentVolumeClaim"]["claimName"] not in claims:
                found.append(f"{work} mounts a claim that nobody makes")
        for each in work.containers:
            for source in each.get("envFrom", []):
                if source.get("configMapRef", {}).get("name") not in maps:
                    found.append(f"{work}/{each['name']} is told by a map that nobody makes")
            mounts = {mount["mountPath"]: mount["name"] for mount in each.get("volumeMounts", [])}
            found += [
                f"{work} mounts {name}, which it does not have" for name in {*mounts.values()} - {*volumes} - templates
            ]
            for key, value in environment(manifests, each).items():
                if value.startswith("/etc/propel/") and (key.endswith("_FILE")):
                    folder, _, file = value.rpartition("/")
                    volume = volumes.get(mounts.get(folder, ""), {})
                    keys = there.get(volume.get("secret", {}).get("secretName"), set())
                    if file not in keys:
                        found.append(f"{work}/{each['name']}: {key} is {value}, where nothing is mounted")
    for name, each in named(manifests, "Service").items():
        selector = each["spec"]["selector"]
        behind = [work for work in workloads(manifests) if selector.items() <= work.labels.items()]
        ports = {port["name"] for work in behind for port in work.main.get("ports", [])}
        if len(behind) != 1 or {port["targetPort"] for port in each["spec"]["ports"]} - ports:
            found.append(f"the service {name} leads to {len(behind)} workloads, or to no port of theirs")
    for name, each in named(manifests, "Ingress").items():
        for path in each["spec"]["rules"][0]["http"]["paths"]:
            if path["backend"]["service"]["name"] not in named(manifests, "Service"):
                found.append(f"the ingress {name} leads nowhere")
    for name, each in named(manifests, "TriggerAuthentication").items():
        for target in each["spec"]["secretTargetRef"]:
            if target["key"] not in there.get(target["name"], set()):
                found.append(f"{name} reads {target['key']} of {target['name']}, which has none")
    for each in of_kind(manifests, "Cluster"):
        wanted = [each["spec"]["bootstrap"]["initdb"]["secret"]["name"]]
        wanted += [role["passwordSecret"]["name"] for role in each["spec"]["managed"]["roles"]]
        found += [f"{each['metadata']['name']}: nobody makes {name}" for name in wanted if name not in there]
    return found


@rule()
def the_gateway_knows_every_part(manifests: list[Manifest]) -> list[str]:
    """What runs is routed to or asked by /health/, and what is routed to runs."""
    found = []
    gateway = next(work for work in workloads(manifests) if work.component == "gateway")
    given = dict(word.split("=", 1)[1].split("=") for word in gateway.main["args"])
    services = {
        f"{name}:{each['spec']['ports'][0]['port']}": each
        for name, each in named(manifests, "Service").items()
        if each["spec"]["selector"].get(COMPONENT) in ("web", "stream", "worker", "consumer", "relay", "client")
    }
    found += [f"the gateway does not know {address}" for address in sorted({*services} - {*given.values()})]
    found += [
        f"the gateway sends to {address}, which is not there" for address in sorted({*given.values()} - {*services})
    ]
    return found


@rule()
def secrets_are_files(manifests: list[Manifest]) -> list[str]:
    """The environment of a process is shown by too many tools, and handed on to its children."""
    secret = {name for name, is_secret in settings().items() if is_secret}
    found = []
    for each in of_kind(manifests, "ConfigMap"):
        found += [f"{each['metadata']['name']} holds {key}" for key in each.get("data", {}) if key in secret]
    for work in workloads(manifests):
        for container in work.containers:
            found += [
                f"{work}: {key['name']} in plain sight" for key in container.get("env", []) if key["name"] in secret
            ]
            if any("secretRef" in source for source in container.get("envFrom", [])) or any(
                "secretKeyRef" in key.get("valueFrom", {}) for key in container.get("env", [])
            ):
                found.append(f"{work}: a secret in the environment")
    return found


@rule()
def everybody_is_told_what_they_read(manifests: list[Manifest]) -> list[str]:
    """From the code: each setting without a default is given; no secret goes to whom the code gives no use for it."""
    known = {*settings(), *BESIDE}
    found = []
    for work in workloads(manifests):
        if not work.is_ours or work.service in ("gateway", "discord"):
            continue
        for each in work.containers:
            given = environment(manifests, each)
            told = {key if key in known else key.removesuffix("_FILE") for key, value in given.items() if value}
            found += [f"{work}/{each['name']}: {name} is no setting" for name in sorted(told - known)]
            words = command(manifests, each)
            if "-m" not in words:
                continue
            words = words[words.index("-m") + 1 :]
            wanted = needs.of(*needs.entry(work.service, words))
            if words[0] == "fleet.migrate" and "--wait" not in words:
                wanted = {"MIGRATION_DATABASE_URL": needs.Need("MIGRATION_DATABASE_URL", required=True, secret=True)}
            lacking = {need.name for need in wanted.values() if need.required} - told
            found += [f"{work}/{each['name']} is not told {name}" for name in sorted(lacking)]
            handed = {key.removesuffix("_FILE") for key, value in given.items() if value.startswith("/etc/propel/")}
            spare = handed - set(wanted) - BESIDE - {"USERS_JWT_KEY", "SSL_CERT"}
            found += [f"{work}/{each['name']} has no use for {name}" for name in sorted(spare)]
    return found


@rule()
def migrations_come_first(manifests: list[Manifest]) -> list[str]:
    """A Job of the release as the owner role; nothing of the release starts on an older schema, or has that role."""
    found = []
    works = [work for work in workloads(manifests) if work.service in SERVICES]
    jobs = {work.service: work for work in works if work.component == "migrate"}
    for service in {work.service for work in works} - set(jobs):
        found.append(f"nobody migrates {service}")
    for service, job in jobs.items():
        tag = job.main["image"].rpartition(":")[2]
        if job.kind != "Job" or command(manifests, job.main)[-2:] != ["fleet.migrate", service]:
            found.append(f"{job} does not migrate {service}")
        if "@sha256" not in job.main["image"] and not job.name.endswith(f"-migrate-{tag}"):
            found.append(f"{job} would be the Job of another release")
        if job.pod.get("restartPolicy") != "Never" or not job.manifest["spec"].get("backoffLimit"):
            found.append(f"{job} is not tried again")
    for work in works:
        mounted = {volume.get("secret", {}).get("secretName", "") for volume in work.pod.get("volumes", [])}
        owners = [name for name in mounted if name.startswith(f"{work.service}-owner")]
        if bool(owners) != (work.component == "migrate"):
            found.append(f"{work} has the owner's password, or lacks it")
        if work.kind == "Deployment":
            first = [command(manifests, each)[-3:] for each in work.pod.get("initContainers", [])]
            if ["fleet.migrate", work.service, "--wait"] not in first:
                found.append(f"{work} does not wait for its migrations")
            if {each["image"] for each in work.containers} != {work.main["image"]}:
                found.append(f"{work} waits for another release's migrations")
    return found


@rule()
def web_processes_do_not_know_the_broker(manifests: list[Manifest]) -> list[str]:
    """They write rows; an address of the broker in them would be a second way out."""
    found = []
    for work in workloads(manifests):
        mounted = {volume.get("secret", {}).get("secretName", "") for volume in work.pod.get("volumes", [])}
        speaks = work.component in ("worker", "consumer", "relay", "topology")
        knows = any("-broker" in name for name in mounted) or any(
            key.startswith("AMQP_URL") for each in work.containers for key in environment(manifests, each)
        )
        if work.is_ours and knows != speaks:
            found.append(f"{work} {'knows the broker' if knows else 'does not know the broker'}")
    return found


@rule()
def each_secret_belongs_to_one_service(manifests: list[Manifest]) -> list[str]:
    """What is called after a service is mounted by its pods alone."""
    found = []
    for work in workloads(manifests):
        for volume in work.pod.get("volumes", []):
            owner = volume.get("secret", {}).get("secretName", "").partition("-")[0]
            # Local Discord plays the other side, and must know what the client will say.
            if owner in SERVICES and owner != work.service and work.service != "discord":
                found.append(f"{work} mounts {volume['secret']['secretName']}")
    return found


# --- The network ------------------------------------------------------------------------------------------------------

CLUSTER_API = Party("cluster-api", address="10.96.0.1")
STRANGER = Party("stranger", {NAME: "stranger"})
OUTSIDE = (
    Party("prometheus", {NAME: "prometheus"}, "monitoring"),
    Party("otel-collector", {NAME: "otel-collector"}, "monitoring"),
    Party("ingress", {NAME: "ingress-nginx"}, "ingress-nginx"),
    Party("keda", {NAME: "keda-operator"}, "keda"),
    Party("cnpg-operator", {NAME: "cloudnative-pg"}, "cnpg-system"),
    Party("dns", {"k8s-app": "kube-dns"}, "kube-system"),
    Party("somebody", {NAME: "somebody"}, "default"),
    STRANGER,
    Party("internet", address="203.0.113.7"),
    CLUSTER_API,
    Party("metadata", address="169.254.169.254"),
)
PORTS = (53, 80, 443, 465, 587, 4318, 4369, 5432, 5671, 5672, 6443, 8000, 8080, 9100, 9187, 15671, 15691, 17100, 25672)
MAIL, TLS = (465, 587), (443,)
TALKATIVE = {
    "users-web": TLS,
    "users-consumer": MAIL,
    "points-consumer": TLS,
    "rewards-consumer": MAIL,
    "reviews-consumer": (*TLS, *MAIL),
    "integrations-consumer": (*TLS, *MAIL),
    "bot-client": TLS,
}


def intended(names: set[str]) -> set[tuple[str, str, int]]:
    """Every connection that the fleet needs, from what its parts are; everything else must be impossible."""
    services = [name for name in SERVICES if f"{name}-db" in names]
    doors = [f"{name}-{door}" for name in services for door in ("web", "stream") if f"{name}-{door}" in names]
    workers = [f"{name}-{role}" for name in services for role in ("consumer", "relay")]
    measured = [*workers, *(name for name in names if name.endswith("-client"))]
    databases = [f"{name}-db" for name in services]
    found = {("ingress", "gateway", 8080)}
    found |= {(who, door, 8000) for who, door in product(("gateway", "prometheus", "otel-collector"), doors)}
    found |= {(who, part, 9100) for who, part in product(("gateway", "prometheus", "otel-collector"), measured)}
    found |= {(door, "users-web", 8000) for door in doors if door != "users-web"}
    for service in services:
        own = [name for name in names if name.startswith(f"{service}-") and name != f"{service}-db"]
        found |= {(name, f"{service}-db", 5432) for name in own}
    found |= {(who, "rabbitmq", 5671) for who in (*workers, "topology", "keda")}
    found |= {("rabbitmq", "rabbitmq", port) for port in (4369, 25672)}
    # Whoever measures is known by their namespace alone.
    found |= {(who, "rabbitmq", 15691) for who in ("prometheus", "otel-collector")}
    found |= {(who, database, 9187) for who, database in product(("prometheus", "otel-collector"), databases)}
    found |= {
        (who, database, port) for database in databases for who in (database, "cnpg-operator") for port in (5432, 8000)
    }
    found |= {(name, "dns", 53) for name in {*names, "stranger"}}
    traced = {name for name in names if name not in databases and name != "rabbitmq"}
    found |= {(name, "otel-collector", 4318) for name in traced}
    found |= {(name, "internet", port) for name, ports in TALKATIVE.items() for port in ports}
    return found


def edges(manifests: list[Manifest]) -> set[tuple[str, str, int]]:
    """Every connection that the policies leave possible, but between parties who are both outside."""
    policies = of_kind(manifests, "NetworkPolicy")
    inside = list(parties(manifests))
    pairs = [*product(inside, (*inside, *OUTSIDE)), *product(OUTSIDE, inside)]
    # A pod in the namespace that no policy names.
    pairs += [(STRANGER, other) for other in OUTSIDE] + [(other, STRANGER) for other in (*inside, *OUTSIDE)]
    return {
        (source.name, target.name, port)
        for (source, target), port in product(pairs, PORTS)
        if may_reach(policies, source, target, port)
    }


@rule(production=True)
def connections_are_exactly_those_of_the_fleet(manifests: list[Manifest]) -> list[str]:
    """What is not needed is not possible: not a web process to the broker, not one service to another's database."""
    policies, there = of_kind(manifests, "NetworkPolicy"), list(parties(manifests))
    wanted = intended({party.name for party in there})
    # Instances ask the cluster who leads, and send backups out: by port, for nobody knows those addresses before.
    asking = [party for party in there if party.name in {*named(manifests, "Cluster"), "rabbitmq"}]
    free = {(party.name, port) for party in asking for port in (443, 6443)}
    possible = {edge for edge in edges(manifests) if (edge[0], edge[2]) not in free}
    found = [f"{source} may reach {target}:{port}" for source, target, port in sorted(possible - wanted)]
    found += [f"{source} cannot reach {target}:{port}" for source, target, port in sorted(wanted - possible)]
    mute = [party for party in asking if not may_reach(policies, party, CLUSTER_API, 6443)]
    return found + [f"{party.name} cannot ask the cluster who leads" for party in mute]


@rule()
def everything_is_labelled(manifests: list[Manifest]) -> list[str]:
    """Policies, budgets and monitors find pods by their labels."""
    return [
        f"{work} is not labelled"
        for work in workloads(manifests)
        if not {NAME, COMPONENT, PART_OF} <= set(work.labels) or work.labels[PART_OF] != "propel"
    ]
