"""What kubectl prints, read as a person does."""

from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster

PENDING = "<pending>"


def external_ip(cluster: Cluster, service: str, namespace: str = "default") -> str:
    """The column EXTERNAL-IP of `kubectl get svc`."""
    return cluster.kubectl("get", "svc", service, "-n", namespace, "--no-headers").split()[3]


def external_ips(cluster: Cluster) -> dict[str, str]:
    """The same of all Services in the cluster that have the column filled, by `namespace/name`."""
    lines = cluster.kubectl("get", "svc", "-A", "--no-headers").splitlines()
    columns = (line.split() for line in lines)
    return {f"{found[0]}/{found[1]}": found[4] for found in columns if found[2] == "LoadBalancer"}


def events(cluster: Cluster, service: str, namespace: str = "default") -> list[str]:
    """Reason and message of each Event of a Service, sorted."""
    selector = f"involvedObject.kind=Service,involvedObject.name={service}"
    columns = "custom-columns=:.reason,:.message"
    printed = cluster.kubectl("get", "events", "-n", namespace, "--field-selector", selector, "-o", columns)
    return sorted(" ".join(line.split(maxsplit=1)) for line in printed.splitlines() if line)


def announcers(cluster: Cluster, service: str, protocol: str, namespace: str = "default") -> set[str]:
    """The nodes that the statuses name for a Service; `protocol` is "l2" or "bgp"."""
    labels = f"metallb.io/service-name={service},metallb.io/service-namespace={namespace}"
    argv = ("get", f"service{protocol}statuses", "-n", SYSTEM_NAMESPACE, "-l", labels)
    return set(cluster.kubectl(*argv, "-o", "jsonpath={.items[*].status.node}").split())


def configuration_results(cluster: Cluster) -> dict[str, str]:
    """What each component's ConfigurationState says: "Valid" or "Invalid"."""
    argv = ("get", "configurationstates", "-n", SYSTEM_NAMESPACE, "--no-headers", "-o")
    printed = cluster.kubectl(*argv, "custom-columns=:.metadata.name,:.status.result")
    return dict(line.split(maxsplit=1) for line in printed.splitlines())


def configuration_errors(cluster: Cluster, component: str = "controller") -> str:
    """What a ConfigurationState has as the error."""
    argv = ("get", "configurationstate", component, "-n", SYSTEM_NAMESPACE)
    return cluster.kubectl(*argv, "-o", "jsonpath={.status.errorSummary}")


def assigned(cluster: Cluster, pool: str) -> tuple[int, int]:
    """How many IPv4 and IPv6 addresses of a pool are in use, by its status."""
    path = "jsonpath={.status.assignedIPv4} {.status.assignedIPv6}"
    numbers = cluster.kubectl("get", "ipaddresspool", pool, "-n", SYSTEM_NAMESPACE, "-o", path).split()
    assert len(numbers) == 2, f"no status of pool {pool} yet"
    return int(numbers[0]), int(numbers[1])
