// SPDX-License-Identifier: Apache-2.0
#include "collect/kernel_view.h"

#include <utility>

namespace smaps_audit {

KernelFile::KernelFile(KernelFile&& other) noexcept
    : view_(std::exchange(other.view_, nullptr)),
      handle_(std::exchange(other.handle_, -1)),
      path_(std::move(other.path_)) {}

KernelFile& KernelFile::operator=(KernelFile&& other) noexcept {
  if (this != &other) {
    if (view_ != nullptr) view_->close(handle_);
    view_ = std::exchange(other.view_, nullptr);
    handle_ = std::exchange(other.handle_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

KernelFile::~KernelFile() {
  if (view_ != nullptr) view_->close(handle_);
}

Error in_file(Error error, const KernelFile& file) {
  if (error.file.empty()) error.file = file.path();
  return error;
}

}  // namespace smaps_audit
