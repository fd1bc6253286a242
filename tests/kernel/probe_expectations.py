# SPDX-License-Identifier: Apache-2.0
"""What each probe must say of each kernel, written from docs/kernel.md before the first run.

A difference is red until its row gets a reason and a source in DIFFERENCES: never change a row of PROBES or CARD
because of what was measured.
"""

from __future__ import annotations

PASS, FAIL, SKIPPED = "pass", "fail", "skipped"

# Probe → (6.1.y stock in QEMU with two nodes, 6.12.y likewise, this host: 6.18, one node). What fails names its
# defects. The numbers in comments are rows and sections of docs/kernel.md.
Rows = dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]
PROBES: Rows = {
    "control": ((PASS,), (PASS,), (PASS,)),  # P21
    "protnone-thp": ((FAIL, "K01"), (PASS,), (PASS,)),  # P1
    "protnone-base": ((PASS,), (PASS,), (PASS,)),  # P3, Rss
    "protnone-shmem": ((FAIL, "K01"), (PASS,), (PASS,)),  # P4
    "follow-page": ((FAIL, "K02"), (PASS,), (PASS,)),  # P2, P3, P9
    "foll-force": ((PASS,), (PASS,), (PASS,)),  # P8, P10
    "thp-dirty": ((PASS,), (PASS,), (PASS,)),  # P5, K15: 6.1.192, 6.12.115, host 6.18.44 good
    "counter-slack": ((FAIL, "K05"), (PASS,), (PASS,)),  # P17
    "rollup-contention": ((FAIL, "K03"), (PASS,), (PASS,)),  # P16
    "numa-hinted-thp": ((FAIL, "K01"), (PASS,), (PASS,)),  # P6
    "numa-hinted-base": ((PASS,), (PASS,), (PASS,)),  # P6
    "numa-hinted-shared": ((FAIL, "K01"), (PASS,), (PASS,)),  # P6; hints survive a fork: §5.2
    "numa-hinted-shmem": ((SKIPPED,), (PASS,), (PASS,)),  # §4: never scanned before 6.12.109
    "gup-fault": ((PASS,), (PASS,), (PASS,)),  # P7, P11: a behaviour, no defect; ERA below
    "migration-race": ((PASS,), (PASS,), (SKIPPED,)),  # P14, needs two nodes
    "kvm-fault": ((SKIPPED,), (SKIPPED,), (PASS,)),  # P13, needs /dev/kvm
    "longterm-pin": ((PASS,), (PASS,), (PASS,)),  # P12
    "exclusive-bit": ((FAIL, "K09"), (PASS,), (FAIL, "K09")),  # P18: right only in 6.11 to 6.14
    "zero-page": ((FAIL, "K11"), (FAIL, "K11"), (FAIL, "K11")),  # §1.2: FILE=1 up to 7.3.3
    "guard": ((SKIPPED,), (SKIPPED,), (PASS,)),  # MADV_GUARD_INSTALL: 6.13
    "secretmem": ((PASS,), (PASS,), (PASS,)),  # §1.2
    "hugetlb": ((PASS,), (PASS,), (SKIPPED,)),  # guests are booted with hugepages=; the host reserves none
    "lazyfree": ((PASS,), (PASS,), (PASS,)),  # §1.2
    "swap": ((PASS,), (PASS,), (SKIPPED,)),  # §1.2; guests have a disk for it, the host has none
}

# What --all leaves out.
BY_NAME: Rows = {
    "ksm-unmerge": ((FAIL, "K02"), (PASS,), (PASS,)),  # P15
}

# Defect → state in the card. What is not named here must be unknown.
CARD: dict[str, dict[str, str]] = {
    "6.1": {"K01": "present", "K02": "present", "K03": "present", "K05": "present", "K06": "absent",
            "K09": "present", "K10": "absent", "K11": "present", "K12": "absent", "K15": "absent"},
    "6.12": {"K01": "absent", "K02": "absent", "K03": "absent", "K05": "absent", "K06": "absent",
             "K09": "absent", "K10": "absent", "K11": "present", "K12": "absent", "K15": "absent"},
    "host": {"K01": "absent", "K02": "absent", "K03": "absent", "K05": "absent", "K06": "absent",
             "K09": "present", "K10": "absent", "K11": "present", "K12": "absent", "K15": "absent"},
}

# The table "GUP vs NUMA hints by era" of docs/kernel.md §4.
ERA = {"6.1": "E1", "6.12": "E3", "host": "E3"}

KERNELS = ("6.1", "6.12", "host")

# (kernel, probe or defect) → (what was measured instead, why it is right, where that is written).
DIFFERENCES: dict[tuple[str, str], tuple[str, str, str]] = {
    ("host", "numa-hinted-shmem"): (
        SKIPPED, "this 6.18.44 hints anonymous memory beside it within a second and shmem never, as kernels without "
        "the fix of 6.12.109 do; the same probe finds hinted shmem on 6.12", "docs/kernel.md §4, after K33"),
}


def expected_probes(kernel: str, rows: Rows) -> dict[str, tuple[str, ...]]:
    return {name: row[KERNELS.index(kernel)] for name, row in rows.items()}
