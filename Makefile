# SPDX-License-Identifier: Apache-2.0
# The words that people and CI use; the work is done in scripts/.
.PHONY: help demo test lint lint-all format bench soak kernels nightly package clean

help:
	@echo "make demo      install what is missing, build, audit every process of this machine"
	@echo "make test      everything that CI runs, with a closing summary"
	@echo "make lint      format, shellcheck, bans, clang-tidy of what changed (lint-all: of everything)"
	@echo "make format    clang-format-16 on all sources"
	@echo "make bench     what an audit costs, against cat smaps"
	@echo "make soak      the service for long, SWEEPS=500 or SECONDS=...: nothing grows, nothing is left out"
	@echo "make kernels   asks every kernel of Debian's archive from 6.1 on: docs/kernels.md"
	@echo "make package   the Debian package, in build/package"
	@echo "make nightly   what takes too long for make test"

demo:
	@scripts/demo

test:
	@scripts/test

lint:
	@scripts/lint

lint-all:
	@scripts/lint --all

format:
	@scripts/format

bench:
	@scripts/bench

soak:
	@scripts/soak $(if $(SWEEPS),--sweeps $(SWEEPS)) $(if $(SECONDS),--seconds $(SECONDS)) $(SOAK)

kernels:
	@scripts/kernels

nightly:
	@scripts/nightly

package:
	@scripts/install-dependencies --package
	@scripts/package

clean:
	rm -rf build
