# SPDX-License-Identifier: Apache-2.0
"""A root file system with the package installed, made fit to boot in vm_disk.py, and the disk image of it.
Python 3.11, standard library, e2fsprogs."""

from __future__ import annotations

import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "kernel"))
import base_root  # noqa: E402
import fetch_kernel  # noqa: E402
import kernel_modules  # noqa: E402
import vm_disk  # noqa: E402

KERNELS = ("6.1", "6.12")
# The drivers of the disk and of ext4 are built in.
MODULES = ("virtio_pci", "virtio_net")
IMAGE_MIB = 1024  # sparse
# What a guest that lives for minutes does without: each is a second of its boot, or work in the background of the test.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
          "fstrim.timer", "getty@tty1.service", "serial-getty@ttyS0.service", "ldconfig.service", "systemd-binfmt.service",
          "systemd-hwdb-update.service", "systemd-pstore.service", "systemd-random-seed.service", "systemd-update-utmp.service",
          "systemd-update-utmp-runlevel.service", "proc-sys-fs-binfmt_misc.automount", "motd-news.timer")
# QEMU's user network always looks like this.
NETWORK = """[Unit]
Description=The address that QEMU's user network expects
After=systemd-udev-trigger.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'modprobe virtio_pci; modprobe virtio_net; until ip link set eth0 up; do sleep 0.1; done; ip address add 10.0.2.15/24 dev eth0'
TimeoutStartSec=60
[Install]
WantedBy=multi-user.target
"""


def enable(root: pathlib.Path, name: str, unit: str) -> None:
    """A unit of the test's own."""
    (root / "etc/systemd/system" / name).write_text(unit)
    base_root.in_root(root, f"systemctl enable {name}")


def add_program(root: pathlib.Path, program: pathlib.Path) -> None:
    place = root / "usr/local/bin" / program.name
    shutil.copy2(program, place)
    place.chmod(0o755)


def _add_modules(root: pathlib.Path, series: str) -> None:
    package = fetch_kernel.fetch(series).package
    release = package.removeprefix("linux-image-")
    place = root / "lib/modules" / release / "kernel"
    place.mkdir(parents=True, exist_ok=True)
    for name, content in kernel_modules.load(series, MODULES):
        (place / name).write_bytes(content)
    base_root.in_root(root, f"depmod {release}")


def prepare(root: pathlib.Path) -> None:
    """What every guest of ours needs: the driver, modules, the network, and less of what it does not need."""
    for series in KERNELS:
        _add_modules(root, series)
    (root / "etc/machine-id").write_text("")  # the command line says which
    (root / "etc/fstab").write_text("")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    units = root / "etc/systemd/system"
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    vm_disk.install_driver(root)
    enable(root, "network.service", NETWORK)
    base_root.in_root(root, "systemctl set-default multi-user.target")


def make(root: pathlib.Path, image: pathlib.Path) -> None:
    """An ext4 image of it, without a mount."""
    with image.open("wb") as disk:
        disk.truncate(IMAGE_MIB << 20)
    base_root.run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-E", "lazy_itable_init=1,root_owner=0:0",
                  "-m", "0", "-d", root, image)


def newer(deb: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """The same package under a later version."""
    tree = directory / "newer"
    base_root.run("dpkg-deb", "--raw-extract", deb, tree)
    control = tree / "DEBIAN/control"
    text, count = re.subn(r"(?m)^(Version: .*)$", r"\1+later", control.read_text())
    if count != 1:
        raise ValueError(f"{deb} has no version")
    control.write_text(text)
    later = directory / "later.deb"
    base_root.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, later)
    shutil.rmtree(tree)
    return later


def install(root: pathlib.Path, deb: pathlib.Path, commands: str = "") -> None:
    """By dpkg, in that root; and what is to be done after it."""
    shutil.copy(deb, root / "var/cache/smaps-auditd.deb")
    base_root.in_root(root, f"dpkg --install /var/cache/smaps-auditd.deb\nrm /var/cache/smaps-auditd.deb\n{commands}")
