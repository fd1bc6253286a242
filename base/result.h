// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace smaps_audit {

/// A value or an `Error`. Never default-constructed, never silently dropped.
///
///   Result<Stat> stat = parse_stat(text);
///   if (!stat) return stat.error();
///   use(stat->start_time_ticks);
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : held_(tl::unexpect, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return held_.has_value(); }
  explicit operator bool() const { return ok(); }

  T& operator*() & { return *held_; }
  const T& operator*() const& { return *held_; }
  T&& operator*() && { return *std::move(held_); }
  T* operator->() { return &*held_; }
  const T* operator->() const { return &*held_; }

  [[nodiscard]] const Error& error() const { return held_.error(); }
  T value_or(T fallback) && { return std::move(held_).value_or(std::move(fallback)); }

 private:
  tl::expected<T, Error> held_;
};

/// Success without a value.
struct Ok {};

}  // namespace smaps_audit
