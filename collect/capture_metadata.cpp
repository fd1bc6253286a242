// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_metadata.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace smaps_audit {
namespace {

using Json = nlohmann::json;

/// Any bytes as valid UTF-8, one character a byte.
std::string bytes_to_text(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

/// nullopt: a character above U+00FF, which is no byte.
std::optional<std::string> text_to_bytes(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) {
      bytes += text[at];
      continue;
    }
    if (first > 0xc3 || at + 1 == text.size()) return std::nullopt;
    const auto second = static_cast<unsigned char>(text[++at]);
    bytes += static_cast<char>((first & 0x03) << 6 | (second & 0x3f));
  }
  return bytes;
}

/// Reads the keys of one object. The first key that is missing or mistyped sticks as the error.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string prefix, std::optional<Error>& error)
      : object_(object), prefix_(std::move(prefix)), error_(error) {
    if (!object_.is_object()) fail("must be an object", "");
  }

  ObjectReader object(const char* key) { return {value(key), prefix_ + key + ".", error_}; }
  void get(const char* key, bool& out) {
    const Json& found = value(key);
    if (found.is_boolean()) {
      out = found.get<bool>();
    } else {
      fail("must be true or false", key);
    }
  }
  void get(const char* key, std::string& out) {
    const Json& found = value(key);
    std::optional<std::string> bytes;
    if (found.is_string()) bytes = text_to_bytes(found.get_ref<const std::string&>());
    if (bytes) {
      out = *std::move(bytes);
    } else {
      fail("must be a string of bytes", key);
    }
  }
  template <class Number>
    requires std::is_integral_v<Number>
  void get(const char* key, Number& out) {
    const Json& found = value(key);
    if (found.is_number_unsigned() && std::in_range<Number>(found.get<std::uint64_t>())) {
      out = static_cast<Number>(found.get<std::uint64_t>());
    } else if (!found.is_number_unsigned() && found.is_number_integer() &&
               std::in_range<Number>(found.get<std::int64_t>())) {
      out = static_cast<Number>(found.get<std::int64_t>());
    } else {
      fail("must be an integer that fits", key);
    }
  }
  template <class T>
  void get(const char* key, std::optional<T>& out) {
    if (value(key).is_null()) {
      if (object_.contains(key)) out.reset();
      if (!object_.contains(key)) fail("is missing", key);
      return;
    }
    T held{};
    get(key, held);
    out = std::move(held);
  }
  /// A page size: a power of two, so that nothing divides by zero later.
  void get_power_of_two(const char* key, std::uint64_t& out) {
    get(key, out);
    if (out == 0 || (out & (out - 1)) != 0) fail("must be a power of two", key);
  }
  /// Keys that came later: a capture without one keeps what is assumed of an unknown.
  template <class T>
  void get_if_there(const char* key, T& out) {
    if (object_.contains(key)) get(key, out);
  }
  [[nodiscard]] bool is_null(const char* key) { return value(key).is_null(); }
  void fail(const char* what, const std::string& key) {
    if (error_) return;
    error_ = Error{.code = ErrorCode::malformed,
                   .what = "the metadata's \"" + prefix_ + key + "\" " + what};
  }

 private:
  const Json& value(const char* key) {
    static const Json kNull;
    if (!object_.is_object()) return kNull;
    const auto found = object_.find(key);
    if (found == object_.end()) {
      fail("is missing", key);
      return kNull;
    }
    return *found;
  }

  const Json& object_;
  std::string prefix_;
  std::optional<Error>& error_;
};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json host_to_json(const HostInfo& host) {
  return {{"kernel_release", bytes_to_text(host.kernel_release)},
          {"machine", bytes_to_text(host.machine)},
          {"boot_id", bytes_to_text(host.boot_id)},
          {"page_bytes", host.pages.page_bytes},
          {"pmd_bytes", host.pages.pmd_bytes},
          {"pmd_bytes_assumed", host.pmd_bytes_assumed},
          {"cpus", or_null(host.cpus)},
          {"numa_nodes", or_null(host.numa_nodes)},
          {"numa_balancing", or_null(host.numa_balancing)},
          {"thp", host.thp ? Json(bytes_to_text(*host.thp)) : Json(nullptr)}};
}

HostInfo host_from_json(ObjectReader reader) {
  HostInfo host;
  reader.get("kernel_release", host.kernel_release);
  reader.get("machine", host.machine);
  reader.get("boot_id", host.boot_id);
  reader.get_power_of_two("page_bytes", host.pages.page_bytes);
  reader.get_power_of_two("pmd_bytes", host.pages.pmd_bytes);
  if (host.pages.pmd_bytes < host.pages.page_bytes) {
    reader.fail("must not be less than page_bytes", "pmd_bytes");
  }
  reader.get("pmd_bytes_assumed", host.pmd_bytes_assumed);
  reader.get("cpus", host.cpus);
  reader.get("numa_nodes", host.numa_nodes);
  reader.get("numa_balancing", host.numa_balancing);
  reader.get("thp", host.thp);
  return host;
}

constexpr std::array kCounterErrors = {RssCounterError::exact, RssCounterError::per_thread,
                                       RssCounterError::bounded};

const char* to_word(RssCounterError error) {
  switch (error) {
    case RssCounterError::exact: return "exact";
    case RssCounterError::per_thread: return "per_thread";
    case RssCounterError::bounded: return "bounded";
  }
  return "bounded";
}

Json capabilities_to_json(const KernelCapabilities& known) {
  Json huge_zero = nullptr;
  if (known.huge_zero_pfns) {
    huge_zero = {{"low", known.huge_zero_pfns->low}, {"high", known.huge_zero_pfns->high}};
  }
  return {{"pagemap", known.pagemap},
          {"pagemap_scan", known.pagemap_scan},
          {"procmap_query", known.procmap_query},
          {"smaps_rollup", known.smaps_rollup},
          {"numa_maps", known.numa_maps},
          {"wchan", known.wchan},
          {"pfn_visible", known.pfn_visible},
          {"kpageflags", known.kpageflags},
          {"kpagecount", known.kpagecount},
          {"exclusive_per_page", known.exclusive_per_page},
          {"mapcount_per_page", known.mapcount_per_page},
          {"scan_tells_guard", known.scan_tells_guard},
          {"scan_flags_huge_zero", known.scan_flags_huge_zero},
          {"zero_pfn", or_null(known.zero_pfn)},
          {"huge_zero_pfns", huge_zero},
          {"rss_counters", to_word(known.rss_counters)},
          {"fault_around_pages", known.fault_around_pages},
          {"anon_fault_pages", known.anon_fault_pages},
          {"cpus", known.cpus}};
}

KernelCapabilities capabilities_from_json(ObjectReader reader) {
  KernelCapabilities known;
  reader.get("pagemap", known.pagemap);
  reader.get("pagemap_scan", known.pagemap_scan);
  reader.get("procmap_query", known.procmap_query);
  reader.get("smaps_rollup", known.smaps_rollup);
  reader.get("numa_maps", known.numa_maps);
  reader.get("wchan", known.wchan);
  reader.get("pfn_visible", known.pfn_visible);
  reader.get("kpageflags", known.kpageflags);
  reader.get("kpagecount", known.kpagecount);
  reader.get("exclusive_per_page", known.exclusive_per_page);
  reader.get_if_there("mapcount_per_page", known.mapcount_per_page);
  reader.get_if_there("scan_tells_guard", known.scan_tells_guard);
  reader.get("scan_flags_huge_zero", known.scan_flags_huge_zero);
  reader.get("zero_pfn", known.zero_pfn);
  if (!reader.is_null("huge_zero_pfns")) {
    ObjectReader range = reader.object("huge_zero_pfns");
    Interval pfns;
    range.get("low", pfns.low);
    range.get("high", pfns.high);
    if (pfns.low > pfns.high) range.fail("must not be less than low", "high");
    known.huge_zero_pfns = pfns;
  }
  std::string word;
  reader.get("rss_counters", word);
  const auto* const found =
      std::find_if(kCounterErrors.begin(), kCounterErrors.end(),
                   [&](RssCounterError error) { return word == to_word(error); });
  if (found == kCounterErrors.end()) {
    reader.fail("must be \"exact\", \"per_thread\" or \"bounded\"", "rss_counters");
  } else {
    known.rss_counters = *found;
  }
  reader.get("fault_around_pages", known.fault_around_pages);
  reader.get("anon_fault_pages", known.anon_fault_pages);
  reader.get("cpus", known.cpus);
  return known;
}

}  // namespace

std::string capture_metadata_to_json(const CaptureMetadata& metadata) {
  const Json json = {{"tool_version", bytes_to_text(metadata.tool_version)},
                     {"host", host_to_json(metadata.host)},
                     {"capabilities", capabilities_to_json(metadata.capabilities)},
                     {"pid", metadata.pid},
                     {"full_series", metadata.full_series},
                     {"frozen", metadata.frozen},
                     {"uid", metadata.uid},
                     {"deadline_ns", metadata.deadline_ns},
                     {"comm", bytes_to_text(metadata.comm)}};
  return json.dump();
}

Result<CaptureMetadata> capture_metadata_from_json(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return Error{.code = ErrorCode::malformed, .what = "the metadata is not JSON"};
  }
  if (!json.is_object()) {
    return Error{.code = ErrorCode::malformed, .what = "the metadata is not a JSON object"};
  }
  std::optional<Error> error;
  ObjectReader reader{json, "", error};
  CaptureMetadata metadata;
  reader.get("tool_version", metadata.tool_version);
  metadata.host = host_from_json(reader.object("host"));
  metadata.capabilities = capabilities_from_json(reader.object("capabilities"));
  reader.get("pid", metadata.pid);
  reader.get("full_series", metadata.full_series);
  reader.get("frozen", metadata.frozen);
  reader.get("uid", metadata.uid);
  reader.get("deadline_ns", metadata.deadline_ns);
  reader.get("comm", metadata.comm);
  if (error) return *error;
  return metadata;
}

}  // namespace smaps_audit
