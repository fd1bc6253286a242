# SPDX-License-Identifier: Apache-2.0
# Debian 12 packages; scripts/install-dependencies names them.
find_package(tl-expected REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(numa REQUIRED IMPORTED_TARGET numa)
find_package(Threads REQUIRED)
