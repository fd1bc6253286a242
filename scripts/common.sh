# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by the other scripts: the repository's root, and how things are built.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
jobs=$(nproc)
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# configure PRESET [cmake option …]: quiet unless it fails.
configure() {
  local preset=$1
  shift
  cmake --preset "$preset" "$@" >"build-$preset.log" 2>&1 || { cat "build-$preset.log"; rm -f "build-$preset.log"; return 1; }
  rm -f "build-$preset.log"
}

# build PRESET [cmake option …]: configures and builds.
build() {
  configure "$@"
  cmake --build --preset "$1" --parallel "$jobs"
}

# build_targets PRESET TARGET…: these alone.
build_targets() {
  configure "$1"
  cmake --build --preset "$1" --parallel "$jobs" --target "${@:2}"
}

# Sources of the project that git knows or would add, by the end of their names.
sources() {
  git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
  true
}
