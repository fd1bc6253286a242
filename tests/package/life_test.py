#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The package's own life, in the root of a Debian 12 without a running systemd: install, upgrade, edited configuration,
remove, purge. And what can be said of it from outside: lintian, systemd-analyze verify, what is in it.

    life_test.py --packages DIR      with the .deb that scripts/package made

Exit: 0, 1, 77 (no such root can be had, or no lintian). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from container import ROOT, base_root, needs_of

CONFIGURATION = "etc/smaps-auditd/smaps-auditd.json"
# What dpkg, ldconfig and systemd keep of any package, and the user that stays.
KEPT_BY_OTHERS = re.compile(
    r"var/lib/dpkg/|var/cache/|var/log/|etc/ld\.so\.cache$|var/lib/systemd/catalog/database$|"
    r"etc/(passwd|group|shadow|gshadow)-?$|etc/\.pwd\.lock$|var/lib/systemd/deb-systemd-helper-enabled$|"
    r"var/lib/systemd/deb-systemd-helper-masked$")
AS_SERVICE = ("setpriv --reuid=smaps-audit --regid=smaps-audit --clear-groups --no-new-privs "
              "--inh-caps=-all,+sys_ptrace,+dac_read_search --ambient-caps=-all,+sys_ptrace,+dac_read_search "
              "--bounding-set=-all,+sys_ptrace,+dac_read_search ")
package = pathlib.Path()
every_package: list[pathlib.Path] = []


def run(*command: str | pathlib.Path) -> str:
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def newer(work: pathlib.Path) -> pathlib.Path:
    """The same package, of the next version, with a configuration that has changed."""
    tree = work / "newer"
    run("dpkg-deb", "--raw-extract", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", r"\g<0>+newer1", control.read_text()))
    shipped = tree / CONFIGURATION
    shipped.write_text(shipped.read_text() + "// the newer one\n")
    sums = tree / "DEBIAN/md5sums"
    sums.write_text(re.sub(rf"(?m)^\w+(  {CONFIGURATION})$", hashlib.md5(shipped.read_bytes()).hexdigest() + r"\1", sums.read_text()))
    made = work / "newer.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, made)
    return made


def contents(root: pathlib.Path) -> dict[str, str]:
    """Every path of it, with a word for what is there."""
    found = {}
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        if name.startswith(("proc/", "dev/", "run/", "tmp/")):
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[name] = "directory"
    return found


class Life(unittest.TestCase):
    """One root for all; each test leaves the package purged."""

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.root = stack.enter_context(base_root.unpacked(needs_of(package)))
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(package, cls.root / "tmp/first.deb")
        shutil.copy(newer(work), cls.root / "tmp/newer.deb")
        cls.before = contents(cls.root)

    def inside(self, script: str) -> str:
        return base_root.in_root(self.root, script)

    def text(self, name: str) -> str:
        return (self.root / name).read_text()

    def tearDown(self) -> None:
        self.inside("dpkg --purge smaps-auditd 2>/dev/null || true; rm -rf /etc/smaps-auditd")

    def test_installs_enables_and_gives_its_user_what_it_needs(self):
        self.inside("dpkg --install /tmp/first.deb")
        self.assertRegex(self.text("etc/passwd"), r"(?m)^smaps-audit:x:\d+:\d+:[^:]*:/:/usr/sbin/nologin$")
        self.assertEqual(self.inside("stat -c '%U:%G %a' /var/lib/smaps-audit").strip(), "smaps-audit:smaps-audit 755")
        enabled = "systemctl is-enabled smaps-auditd.service smaps-audit-probe.timer smaps-auditd.socket smaps-audit-textfile.timer || true"
        self.assertEqual(self.inside(enabled).split(), ["enabled", "enabled", "disabled", "disabled"])
        self.inside(f"smaps-audit config check /{CONFIGURATION}")
        version = package.name.split("_")[1]
        self.assertEqual(self.inside("smaps-auditd --version; smaps-audit --version"), f"smaps-auditd {version}\nsmaps-audit {version}\n")
        self.assertIn("smaps-auditd", self.inside("journalctl --list-catalog 5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e01"))

    def test_units_are_right_for_the_systemd_of_debian_12(self):
        self.inside("dpkg --install /tmp/first.deb")
        units = sorted(path.name for path in (self.root / "lib/systemd/system").glob("smaps-audit*"))
        self.assertEqual(len(units), 6, units)
        said = self.inside(f"systemd-analyze verify --man=no {' '.join(units)} 2>&1; systemctl --version | head -n 1")
        self.assertRegex(said, r"^systemd 252 [^\n]*\n$", "verify has something to say")
        for name in units:
            for page, section in re.findall(r"man:([a-z.-]+)\((\d)\)", self.text(f"lib/systemd/system/{name}")):
                self.assertTrue((self.root / f"usr/share/man/man{section}/{page}.{section}.gz").exists(), f"{name}: {page}({section})")

    def test_an_upgrade_keeps_findings_and_what_was_disabled_and_brings_a_new_default(self):
        self.inside("dpkg --install /tmp/first.deb")
        self.inside("install -d -o smaps-audit -g smaps-audit -m 0750 /var/lib/smaps-auditd /run/smaps-auditd; "
                    f"{AS_SERVICE} timeout --preserve-status 2 smaps-auditd --no-web --config.file /{CONFIGURATION} 2>/dev/null")
        self.inside("systemctl disable smaps-audit-probe.timer")
        store = self.root / "var/lib/smaps-auditd/findings.db"
        was = store.read_bytes()
        self.assertTrue(was.startswith(b"SQLite"))
        self.inside("dpkg --install /tmp/newer.deb")
        self.assertIn("+newer1", self.inside("dpkg-query --show smaps-auditd"))
        self.assertEqual(store.read_bytes(), was)
        self.assertEqual(self.inside("systemctl is-enabled smaps-audit-probe.timer smaps-auditd.service || true").split(), ["disabled", "enabled"])
        self.assertIn("// the newer one", self.text(CONFIGURATION))

    def test_an_edited_configuration_is_kept(self):
        self.inside("dpkg --install /tmp/first.deb")
        # By the line that README.md gives.
        line = re.search(r"<!-- listen begins -->\s+(sed .*)\n", (ROOT / "README.md").read_text()).group(1)
        self.inside(line)
        edited = self.text(CONFIGURATION)
        self.assertIn('"listen": [":19755", "unix:', edited)
        self.inside(f"smaps-audit config check /{CONFIGURATION}")
        self.inside("dpkg --force-confdef --force-confold --install /tmp/newer.deb")
        self.assertEqual(self.text(CONFIGURATION), edited)
        self.inside("dpkg --remove smaps-auditd; dpkg --force-confold --install /tmp/first.deb")
        self.assertEqual(self.text(CONFIGURATION), edited)

    def test_remove_leaves_configuration_and_findings(self):
        self.inside("dpkg --install /tmp/first.deb; install -d -o smaps-audit /var/lib/smaps-auditd; touch /var/lib/smaps-auditd/findings.db")
        self.inside("dpkg --remove smaps-auditd")
        left = {name for name in contents(self.root) if name not in self.before and not KEPT_BY_OTHERS.match(name)}
        self.assertLessEqual({CONFIGURATION, "var/lib/smaps-auditd/findings.db", "var/lib/smaps-audit"}, left)
        self.assertFalse([name for name in left if re.match("usr/|lib/", name)], left)

    def test_purge_leaves_nothing_but_the_system_user(self):
        self.inside("dpkg --install /tmp/first.deb; mkdir -p /var/lib/smaps-auditd/captures; mkdir -p /var/lib/prometheus/node-exporter; "
                    "touch /var/lib/smaps-auditd/findings.db /var/lib/smaps-auditd/captures/1.cap /var/lib/smaps-audit/card.json; "
                    "touch /var/lib/prometheus/node-exporter/smaps-audit.prom; "
                    f"echo // edited >> /{CONFIGURATION}; systemctl enable smaps-auditd.socket; "
                    "dpkg --force-confdef --force-confold --install /tmp/newer.deb; dpkg --purge smaps-auditd; rmdir -p /var/lib/prometheus/node-exporter || true")
        after = contents(self.root)
        changed = {name for name in after.keys() | self.before.keys() if after.get(name) != self.before.get(name)}
        self.assertEqual({name for name in changed if not KEPT_BY_OTHERS.match(name)}, set())
        self.assertIn("\nsmaps-audit:", self.text("etc/passwd"))
        # dpkg's own lists are among what is kept by others; it knows nothing of the package.
        self.assertNotIn("Package: smaps-auditd", self.text("var/lib/dpkg/status"))

    def test_purge_leaves_files_of_the_administrator(self):
        self.inside("dpkg --install /tmp/first.deb; echo key > /etc/smaps-auditd/tls.key; dpkg --purge smaps-auditd 2>/dev/null")
        self.assertEqual(self.text("etc/smaps-auditd/tls.key"), "key\n")
        self.assertFalse((self.root / CONFIGURATION).exists())


class Contents(unittest.TestCase):
    def test_lintian_finds_no_error(self):
        run("lintian", "--allow-root", "--fail-on", "error", *every_package)

    @unittest.skipUnless("SMAPS_AUDIT_NIGHTLY" in os.environ, "four seconds: nightly")
    def test_lintian_would_notice(self):
        with tempfile.TemporaryDirectory() as work:
            tree = pathlib.Path(work, "tree")
            run("dpkg-deb", "--raw-extract", package, tree)
            (tree / "usr/bin/smaps-audit").chmod(0o777)
            run("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, f"{work}/bad.deb")
            with self.assertRaises(AssertionError):
                run("lintian", "--allow-root", "--fail-on", "error,warning", f"{work}/bad.deb")

    def test_everything_belongs_to_root_and_nothing_is_writable_for_others(self):
        for line in "".join(run("dpkg-deb", "--contents", each) for each in every_package).splitlines():
            mode, owner = line.split()[:2]
            self.assertEqual(owner, "root/root", line)
            self.assertRegex(mode, r"^([-d]rwxr-xr-x|-rw-r--r--|lrwxrwxrwx)$", line)

    def test_the_monitoring_package_holds_all_of_monitoring(self):
        other = next(each for each in every_package if "-monitoring_" in each.name)
        held = re.findall(r"\./usr/share/smaps-auditd/(monitoring/.*[^/\n])$", run("dpkg-deb", "--contents", other), re.MULTILINE)
        self.assertEqual(set(held), {str(path.relative_to(ROOT)) for path in (ROOT / "monitoring").rglob("*") if path.is_file()})

    def test_the_configuration_is_the_only_conffile(self):
        self.assertEqual(run("dpkg-deb", "--info", package, "conffiles").split(), [f"/{CONFIGURATION}"])

    def test_programs_are_hardened_and_name_no_build_folder(self):
        with tempfile.TemporaryDirectory() as work:
            run("dpkg-deb", "--extract", package, work)
            for name in ("usr/bin/smaps-audit", "usr/sbin/smaps-auditd"):
                program = pathlib.Path(work, name)
                said = run("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", program)
                self.assertRegex(said, r"Type: +DYN \(Position-Independent Executable")
                self.assertIn("GNU_RELRO", said)
                self.assertRegex(said, "BIND_NOW|FLAGS_1.*NOW")
                self.assertNotRegex(said, "RPATH|RUNPATH")
                self.assertRegex(said, r"GNU_STACK .* RW +0x")
                self.assertNotIn(str(ROOT).encode(), program.read_bytes())


def main() -> int:
    global package, every_package
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", type=pathlib.Path, required=True)
    words, rest = parser.parse_known_args()
    package = next(iter(words.packages.resolve().glob("smaps-auditd_*.deb")), None)
    every_package = sorted(words.packages.resolve().glob("*.deb"))
    if package is None:
        print(f"no smaps-auditd_*.deb in {words.packages}: scripts/package")
        return 1
    if shutil.which("lintian") is None:
        print("SKIP: no lintian: scripts/install-dependencies")
        return 77
    try:
        base_root.fetch(needs_of(package))
    except (base_root.NoRoot, base_root.AptError) as error:
        print(f"SKIP: {error}")
        return 77
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
