"""
Containers: the ports to publish in Docker, and a Kubernetes service.

Not here: how an image is built, and clouds without containers (``clouds``).
"""

from __future__ import annotations

from collections.abc import Iterator

from twistftp.policy.channels import PortRange
from twistftp.policy.firewall_rules.service import NoRules, Service
from twistftp.policy.firewall_rules.wording import lines, remarks, spanned

__all__ = ["docker_compose", "kubernetes"]

# A service object lists each port by itself, and each costs every node packet filter rules of its own.
_MOST_LISTED = 1000
_NLB_LISTENERS = 50

_FEW_SUFFICE = (
    "Few ports suffice: an open port serves one waiting client of each address and any number of transfers, so ten are plenty for many",
    "clients. This needs the clients' own addresses to arrive here.",
)
_PRIVATE = ("A container has a private address. Clients elsewhere need the host's in the 227: set external_address, unless all of them use EPSV.",)
_INTERNAL = (
    "Clients of private networks count as internal and are told the container's own address. Where such clients come from outside",
    "Docker, set internal_networks to Docker's networks, or to [].",
)


def docker_compose(service: Service) -> str:
    """A compose file with the ports to publish; the image is the administrator's."""
    own = [_publish(port, port) for port in _control_alone(service)]
    mapped = [_publish(outside, service.passive) for outside in service.external_ports or (service.passive,)]
    return lines(
        remarks(service, is_mapped=True),
        (f"# {line}" for line in _FEW_SUFFICE),
        "# Docker's userland proxy (IPv6 into an IPv4 network, rootless) replaces the clients' addresses by one; packet filter rules do not.",
        (f"# {line}" for line in (_INTERNAL if service.has_external_address else _PRIVATE)),
        ["# Active mode: nothing to publish, but the host's NAT decides about the source port that clients see."] if service.active_mode else [],
        "services:",
        "  twistftp:",
        "    image: twistftp  # yours",
        "    ports:",
        (f'      - "{port}"' for port in (*own, *mapped)),
    )


def _publish(outside: int | PortRange, inside: int | PortRange) -> str:
    return f"{spanned(outside)}:{spanned(inside)}"


def kubernetes(service: Service) -> str:
    """
    A Service of type LoadBalancer, with the annotations for a Network Load Balancer of AWS.

    :raises NoRules: there are so many ports that no cluster would take it.
    """
    number = len(service.passive) * max(1, len(service.external_ports))
    if number > _MOST_LISTED:
        advice = "choose a few dozen (--passive-ports LOW-HIGH)"
        raise NoRules(f"kubernetes: a Service lists every port, and {number} ({service.passive}) are too many; {advice}")
    listed = number + len(service.listening)
    too_many = f"# {listed} ports: a Network Load Balancer has {_NLB_LISTENERS} listeners unless AWS raises the quota. Choose a smaller range."
    return lines(
        remarks(service, is_mapped=True),
        (f"# {line}" for line in _FEW_SUFFICE),
        [too_many] if listed > _NLB_LISTENERS else [],
        "# One pod: control and data connections of a client must reach the same server. With more pods, one Service for each.",
        "# Set external_address to the load balancer's name or address; EPSV does without."
        if not service.has_external_address
        else "# The 227 names the external address of the configuration, which should be the load balancer's.",
        ["# Active mode: data connections leave through the cluster's NAT, so clients may see another address and refuse them."]
        if service.active_mode
        else [],
        "apiVersion: v1",
        "kind: Service",
        "metadata:",
        "  name: twistftp",
        "  annotations:",
        "    # Read by the AWS Load Balancer Controller alone.",
        '    service.beta.kubernetes.io/aws-load-balancer-type: "external"',
        '    service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: "ip"',
        '    service.beta.kubernetes.io/aws-load-balancer-scheme: "internet-facing"',
        "    # A data connection must come from the address of its control connection.",
        '    service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: "preserve_client_ip.enabled=true"',
        "spec:",
        "  type: LoadBalancer",
        "  externalTrafficPolicy: Local  # other balancers, too, then leave the clients' addresses alone",
        "  selector:",
        "    app: twistftp  # yours",
        "  ports:",
        (f"    - {{name: {name}, protocol: TCP, port: {port}, targetPort: {target}}}" for name, port, target in _listed(service)),
    )


def _control_alone(service: Service) -> list[int]:
    """The control ports that are not in the range as well: publishing a port twice is an error."""
    outside = service.external_ports or (service.passive,)
    return [port for port in service.listening if not any(port in ports for ports in outside)]


def _listed(service: Service) -> Iterator[tuple[str, int, int]]:
    """The ports one by one: name, the port outside, the port inside."""
    for port in _control_alone(service):
        yield f"control-{port}", port, port
    for outside in service.external_ports or (service.passive,):
        for offset in range(len(service.passive)):
            yield f"passive-{outside.low + offset}", outside.low + offset, service.passive.low + offset
