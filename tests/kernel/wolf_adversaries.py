# SPDX-License-Identifier: Apache-2.0
"""The adversaries: what each of them needs of the machine, and what may be said of it.

Python 3.11, standard library only.
"""

from __future__ import annotations

import dataclasses

THP = "/sys/kernel/mm/transparent_hugepage"
KSM = "/sys/kernel/mm/ksm"
MTHP_SIZES = ("16kB", "32kB", "64kB", "128kB", "256kB", "512kB", "1024kB")
Settings = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Adversary:
    """`settings` are files that hold another value while it runs, where they are there; they are put back. On this
    machine `here` counts instead; None: not on this machine, whose other processes would feel it.
    """
    name: str
    settings: Settings = ()
    here: Settings | None = ()
    swap: bool = False      # needs the guest's swap on
    file_system: bool = False  # wants files on a disk, not in the guest's root, which is memory
    workers: bool = False   # not itself but the descendants of what it announces are audited
    on_cpu_0: bool = False  # the reader is pinned there as well
    # What may be inconclusive, and why.
    short_lived: bool = False      # a process that ended during its check does not count
    ends: bool = False             # nor does it when it should have been frozen
    shared_memory: bool = False    # another process works on the same memory
    changed_outside: bool = False  # another process changes its pages, frozen or not: no finding is promised, no more
    maybe_denied: bool = False     # --freeze may be refused: another tracer holds it


KSM_RUNS: Settings = ((f"{KSM}/pages_to_scan", "4000"), (f"{KSM}/sleep_millisecs", "1"), (f"{KSM}/run", "1"))
EIGHT_HUGE_PAGES: Settings = (("/proc/sys/vm/nr_hugepages", "8"),)

FIRST_PART = (
    Adversary("pulse"),
    Adversary("phase-locked"),
    Adversary("phase-locked-bursts"),
    Adversary("phase-locked-same-cpu", on_cpu_0=True),
    Adversary("mremap"),
    Adversary("vma-churn"),
    Adversary("fork-storm", short_lived=True),
    Adversary("threads-1m"),
    Adversary("threads-64m"),
    Adversary("file-refault"),
    Adversary("collapse-split"),
    Adversary("free-pageout"),
    Adversary("exec-exit", short_lived=True, ends=True),
    Adversary("shared-mm-vfork", shared_memory=True),
    Adversary("shared-mm-clone", shared_memory=True),
)
SECOND_PART = (
    Adversary("threads-64"),
    Adversary("shared-mm-relay", shared_memory=True),
    Adversary("uffd-copy"),
    Adversary("uffd-move", shared_memory=True),
    Adversary("uffd-move-thp", shared_memory=True),
    Adversary("process-vm-writev", changed_outside=True),
    Adversary("process-madvise", file_system=True, changed_outside=True),
    Adversary("process-collapse", changed_outside=True),
    Adversary("ptrace", maybe_denied=True),
    Adversary("migrate-asleep", changed_outside=True),
    Adversary("migrate-busy", changed_outside=True),
    Adversary("ksm", settings=KSM_RUNS, here=KSM_RUNS),
    Adversary("hugetlb", settings=EIGHT_HUGE_PAGES, here=EIGHT_HUGE_PAGES),
    Adversary("memfd-secret"),
    Adversary("guard-regions"),
    Adversary("shmem-truncate", changed_outside=True),
    Adversary("shmem-thp-truncate", changed_outside=True),
    Adversary("thp-always", settings=((f"{THP}/enabled", "always"),), here=None),
    Adversary("mthp", settings=tuple((f"{THP}/hugepages-{size}/enabled", "inherit") for size in MTHP_SIZES),
              here=((f"{THP}/hugepages-64kB/enabled", "madvise"),)),
    Adversary("memcg-limit", file_system=True, swap=True),
    Adversary("swap", swap=True),
    Adversary("io-uring-buffers"),
    Adversary("fuse-hang"),
)
# stress-ng forks, kills and restarts its workers.
STRESSORS = tuple(Adversary(f"stress-{name}", workers=True, short_lived=True, ends=True)
                  for name in ("vm", "mmap", "madvise", "fork", "userfaultfd", "memfd", "numa"))
ALL = {adversary.name: adversary for adversary in (*FIRST_PART, *SECOND_PART, *STRESSORS)}
# Of the second part what make test runs in the guests: what a machine without swap, without a second node and with
# other processes to spare can't show, or a single version of the kernel.
GUESTS_SHARE = tuple(ALL[name] for name in ("process-madvise", "uffd-move", "migrate-asleep", "migrate-busy", "ksm",
                                            "guard-regions", "shmem-thp-truncate", "thp-always", "memcg-limit", "swap"))
PARTS = {"first": FIRST_PART, "second": SECOND_PART, "stress": STRESSORS}
CHOICES = PARTS | {"guests-share": GUESTS_SHARE}
