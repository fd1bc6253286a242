#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages and bash completion, as the build made them, against what the programs say of themselves.

    manuals_test.py --build DIR      build/release, with packaging/, cli/ and daemon/ in it

Exit: 0, 1, 77 (no manual pages were built, or there is no man). Python 3.11, standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

PAGES = ("smaps-audit.1", "smaps-auditd.8", "smaps-auditd.json.5", "smaps-audit-checks.7")
VERBS = ((), ("check",), ("probe",), ("doctor",), ("capture",), ("replay",), ("explain",), ("config",), ("config", "check"),
         ("config", "dump"), ("findings",), ("findings", "list"), ("findings", "show"), ("findings", "export"))
PATIENCE_SECONDS = 20
build = pathlib.Path()


def run(*command: str | pathlib.Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": "", **environment})


def program(name: str) -> pathlib.Path:
    return build / {"smaps-audit": "cli", "smaps-auditd": "daemon"}[name] / name


def flags(name: str, *verb: str) -> set[str]:
    """The options in the text that --help prints."""
    found = set()
    for line in run(program(name), *verb, "--help").stdout.splitlines():
        if match := re.match(r"  (-[^ ]+)", line):
            found.update(match.group(1).split(","))
    return found


def page(name: str) -> str:
    return run("man", "--local-file", build / "packaging" / name).stdout


def chapters(text: str) -> dict[str, str]:
    """Of smaps-audit(1): each verb's part, by its heading."""
    parts = re.split(r"^   (\S[a-z ]*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def completed(name: str, *words: str) -> set[str]:
    """What a session of bash offers after these words, the last of which is being typed."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "$FUNCTION" 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    said = run("bash", "--norc", "-c", script, "bash", build / "packaging" / f"{name}.bash", name, *words,
               FUNCTION="_" + name.replace("-", "_"))
    return set(said.stdout.split())


class Manuals(unittest.TestCase):
    def test_groff_and_man_have_nothing_to_complain_of(self):
        for name in PAGES:
            said = run("man", "--warnings", "--local-file", build / "packaging" / name)
            self.assertEqual((said.returncode, said.stderr), (0, ""), name)

    def test_every_flag_of_help_stands_in_the_part_of_its_verb(self):
        parts = chapters(page("smaps-audit.1"))
        for verb in VERBS:
            with self.subTest(verb):
                found = flags("smaps-audit", *verb) - {"-h", "--help"}
                if not verb:
                    self.assertEqual(found, {"--version"})
                    continue
                self.assertTrue(found or len(verb) == 1)
                for flag in found:
                    self.assertRegex(parts[" ".join(verb)], rf"(?m)^ +(-., )?{flag}\b")

    def test_every_verb_has_a_part(self):
        help_of_all = run(program("smaps-audit"), "--help").stdout.split("Subcommands:")[1].split("Examples:")[0]
        self.assertEqual({words[0] for words in VERBS if words}, set(re.findall(r"^  (\S+)", help_of_all, re.MULTILINE)))
        self.assertEqual(set(chapters(page("smaps-audit.1"))), {" ".join(words) for words in VERBS if words})

    def test_every_flag_of_the_service_stands_in_its_page(self):
        text = page("smaps-auditd.8")
        found = flags("smaps-auditd")
        self.assertIn("--web.listen-address", found)
        for flag in found:
            self.assertRegex(text, rf"(?m)^ +(-., )?{re.escape(flag)}\b")

    def test_every_setting_check_defect_and_reason_has_its_paragraph(self):
        topics = json.loads(run(program("smaps-audit"), "explain", "--format", "json").stdout)["topics"]
        for kind, name in (("setting", "smaps-auditd.json.5"), ("check", "smaps-audit-checks.7"),
                           ("defect", "smaps-audit-checks.7"), ("reason", "smaps-audit-checks.7")):
            text = " ".join(page(name).split())
            chosen = [topic for topic in topics if topic["kind"] == kind]
            self.assertGreater(len(chosen), 10)
            for topic in chosen:
                self.assertIn(f" {topic['id']} ", text)
                self.assertIn(" ".join(topic["sections"][0]["text"].split()), text)

    def test_a_flag_that_is_missing_would_be_noticed(self):
        self.assertNotRegex(chapters(page("smaps-audit.1"))["doctor"], r"(?m)^ +(-., )?--freeze\b")


class Completion(unittest.TestCase):
    def test_bash_can_read_it(self):
        for name in ("smaps-audit", "smaps-auditd"):
            said = run("bash", "-n", build / "packaging" / f"{name}.bash")
            self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_every_flag_of_help_is_offered(self):
        for verb in VERBS:
            self.assertEqual(completed("smaps-audit", *verb, "-"), flags("smaps-audit", *verb), verb)
        self.assertEqual(completed("smaps-auditd", "-"), flags("smaps-auditd"))

    def test_verbs_and_their_verbs(self):
        self.assertEqual(completed("smaps-audit", ""), {words[0] for words in VERBS if words})
        self.assertEqual(completed("smaps-audit", "findings", ""), {"list", "show", "export"})
        self.assertEqual(completed("smaps-audit", "config", "d"), {"dump"})

    def test_values(self):
        self.assertEqual(completed("smaps-audit", "check", "--format", "json"), {"json", "jsonl"})
        # As bash splits --format=t.
        self.assertEqual(completed("smaps-audit", "probe", "--format", "=", "t"), {"text", "tap"})
        self.assertEqual(completed("smaps-audit", "doctor", "--format", "="), {"text", "json"})
        self.assertIn("root", completed("smaps-audit", "check", "--user", "ro"))
        self.assertIn("/etc/passwd", completed("smaps-audit", "replay", "/etc/pass"))
        self.assertEqual(completed("smaps-audit", "probe", "--spool", "/etc/pass"), set())
        self.assertIn(str(os.getpid()), completed("smaps-audit", "check", str(os.getpid())))
        self.assertEqual(completed("smaps-audit", "check", "--comm", ""), set())

    def test_ids_and_probes(self):
        self.assertEqual(completed("smaps-audit", "explain", "K0") & {"K01", "K03"}, {"K01", "K03"})
        self.assertIn("audit.interval", completed("smaps-audit", "explain", "audit."))
        self.assertEqual(completed("smaps-audit", "probe", "protnone-t"), {"protnone-thp"})

    def test_a_person_who_presses_tab_gets_it(self):
        """A real terminal, a real readline."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="dumb", PS1="> ", HISTFILE="")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        try:
            seen = b""
            os.write(terminal, f"source {build}/packaging/smaps-audit.bash; echo rea''dy\n".encode())
            for typed, wanted in ((b"", b"ready\r\n"), (b"smaps-audit fin\t", b"smaps-audit findings "), (b"exp\t", b"findings export ")):
                os.write(terminal, typed)
                end = time.monotonic() + PATIENCE_SECONDS
                while wanted not in seen and time.monotonic() < end:
                    if select.select([terminal], [], [], 0.2)[0]:
                        seen += os.read(terminal, 4096)
                self.assertIn(wanted, seen)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            os.close(terminal)


def main() -> int:
    global build
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    words, rest = parser.parse_known_args()
    build = words.build.resolve()
    if shutil.which("man") is None or not (build / "packaging" / PAGES[0]).exists():
        print("SKIP: no man, or no manual pages in the build (scdoc): scripts/install-dependencies")
        return 77
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
    return 0


if __name__ == "__main__":
    sys.exit(main())
