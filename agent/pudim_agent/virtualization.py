"""Whether this host is a machine, a virtual one or a container, from what it shows of itself."""

from __future__ import annotations

import os

from pudim_agent.files import beginning
from pudim_agent.text import printable

# By what makers write into DMI. Where a product is named too, the maker also sells real machines.
_MAKERS: tuple[tuple[bytes, bytes, str], ...] = (
    (b"qemu", b"", "kvm"),
    (b"red hat", b"kvm", "kvm"),
    (b"openstack", b"", "kvm"),
    (b"hetzner", b"vserver", "kvm"),
    (b"digitalocean", b"", "kvm"),
    (b"google", b"compute engine", "google"),
    (b"alibaba", b"ecs", "alibaba"),
    (b"vmware", b"", "vmware"),
    (b"innotek", b"", "virtualbox"),
    (b"xen", b"", "xen"),
    (b"microsoft corporation", b"virtual machine", "hyper-v"),
    (b"parallels", b"", "parallels"),
    (b"bhyve", b"", "bhyve"),
)


def virtualization(root: str = "") -> str:
    """A container's kind, a hypervisor's name, `virtual machine` when it hides, `none`; empty when nothing tells."""
    return _container(root) or _hypervisor(root)


def _container(root: str) -> str:
    """What managers of containers write for systemd first, then what Docker and podman leave."""
    if told := beginning(f"{root}/run/systemd/container").strip():
        return printable(told, 32)
    if os.path.exists(f"{root}/run/.containerenv"):  # noqa: PTH110
        return "podman"
    return "docker" if os.path.exists(f"{root}/.dockerenv") else ""  # noqa: PTH110


def _hypervisor(root: str) -> str:
    folder = f"{root}/sys/class/dmi/id"
    maker, product = (
        beginning(f"{folder}/{name}").strip().lower() for name in ("sys_vendor", "product_name")
    )
    if maker == b"amazon ec2":
        return "none" if product.endswith(b".metal") else "amazon"
    for its_maker, its_product, name in _MAKERS:
        if maker.startswith(its_maker) and its_product in product:
            return name
    if told := beginning(f"{root}/sys/hypervisor/type").strip():
        return printable(told, 32)
    return _by_flag(beginning(f"{root}/proc/cpuinfo"))


def _by_flag(cpuinfo: bytes) -> str:
    """x86 alone has a flag for it."""
    for line in cpuinfo.splitlines():
        if line.startswith(b"flags"):
            return "virtual machine" if b"hypervisor" in line.split() else "none"
    return ""
