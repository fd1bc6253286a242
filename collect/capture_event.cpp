// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_event.h"

#include "collect/byte_codec.h"
#include "collect/sparse_words.h"

namespace smaps_audit {
namespace {

constexpr std::uint8_t kLastErrorCode = static_cast<std::uint8_t>(ErrorCode::diverged);

/// The arguments that an operation has, in the order in which they are stored: one list for both
/// directions. `Coder` is one of the two below.
template <class Coder, class Call>
void code_arguments(Coder& coder, Call& call) {
  switch (call.operation) {
    case KernelOperation::open:
    case KernelOperation::open_directory:
      coder.root(call.root);
      coder.text(call.path);
      return;
    case KernelOperation::open_at:
    case KernelOperation::open_directory_at:
    case KernelOperation::read_link:
    case KernelOperation::identify:
      coder.number(call.handle);
      coder.text(call.path);
      return;
    case KernelOperation::read:
      coder.number(call.handle);
      coder.number(call.size);
      return;
    case KernelOperation::pread:
      coder.number(call.handle);
      coder.number(call.size);
      coder.number(call.offset);
      return;
    case KernelOperation::rewind:
    case KernelOperation::list:
    case KernelOperation::owner: coder.number(call.handle); return;
    case KernelOperation::pagemap_scan:
      coder.number(call.handle);
      coder.number(call.start);
      coder.number(call.end);
      coder.number(call.category_anyof);
      coder.number(call.return_mask);
      coder.number(call.size);
      return;
    case KernelOperation::procmap_query:
      coder.number(call.handle);
      coder.number(call.address);
      return;
    case KernelOperation::process_exists: coder.signed_number(call.pid); return;
    case KernelOperation::same_mm:
      coder.signed_number(call.pid);
      coder.signed_number(call.other_pid);
      return;
    case KernelOperation::sleep_for: coder.signed_number(call.duration_ns); return;
    case KernelOperation::monotonic_now:
    case KernelOperation::wall_now:
    case KernelOperation::entropy: return;
  }
}

struct ArgumentWriter {
  ByteWriter& out;
  void root(KernelRoot value) { out.byte(static_cast<std::uint8_t>(value)); }
  void text(const std::string& value) { out.text(value); }
  void number(std::uint64_t value) { out.varint(value); }
  void signed_number(std::int64_t value) { out.signed_varint(value); }
};

struct ArgumentReader {
  ByteReader& in;
  void root(KernelRoot& value) { value = in.boolean() ? KernelRoot::sys : KernelRoot::proc; }
  void text(std::string& value) { value = in.text(); }
  void number(std::uint64_t& value) { value = in.varint(); }
  void signed_number(std::int64_t& value) { value = in.signed_varint(); }
};

void put_optional(ByteWriter& out, const std::optional<std::uint64_t>& value) {
  out.byte(value ? 1 : 0);
  if (value) out.varint(*value);
}

std::optional<std::uint64_t> get_optional(ByteReader& in) {
  if (!in.boolean()) return std::nullopt;
  return in.varint();
}

void put_error(ByteWriter& out, const Error& error) {
  out.byte(static_cast<std::uint8_t>(error.code));
  out.signed_varint(error.errno_value);
  out.text(error.what);
  out.text(error.file);
  put_optional(out, error.line);
  put_optional(out, error.offset);
}

Error get_error(ByteReader& in) {
  const std::uint8_t code = in.byte();
  if (code > kLastErrorCode) in.fail(ErrorCode::malformed, "an unknown kind of error");
  Error error{.code = code > kLastErrorCode ? ErrorCode::io : static_cast<ErrorCode>(code),
              .what = {}};
  error.errno_value = static_cast<int>(in.signed_varint());
  error.what = in.text();
  error.file = in.text();
  error.line = get_optional(in);
  error.offset = get_optional(in);
  return error;
}

void put_data(ByteWriter& out, const KernelAnswer& answer, DataEncoding encoding) {
  if (answer.data.size() % sizeof(std::uint64_t) != 0) encoding = DataEncoding::raw;
  out.byte(static_cast<std::uint8_t>(encoding));
  if (encoding == DataEncoding::raw) {
    out.bytes(answer.data);
  } else {
    out.varint(answer.data.size());
    encode_words(answer.data, out);
  }
}

std::vector<std::byte> get_data(ByteReader& in, std::uint64_t asked) {
  if (!in.boolean()) {
    const auto data = in.bytes();
    if (data.size() > asked)
      in.fail(ErrorCode::malformed, "a read returned more than it asked for");
    return {data.begin(), data.end()};
  }
  const std::uint64_t size = in.varint();
  if (size > asked || size > kMaxEventBytes || size % sizeof(std::uint64_t) != 0) {
    in.fail(ErrorCode::malformed, "a read returned more than it asked for, or half a word");
    return {};
  }
  return decode_words(in, static_cast<std::size_t>(size));
}

void put_regions(ByteWriter& out, std::span<const PageRegion> regions) {
  out.varint(regions.size());
  std::uint64_t last_end = 0;
  for (const PageRegion& region : regions) {
    // Differences wrap around: whatever the kernel said comes back, ordered or not.
    out.varint(region.start - last_end);
    out.varint(region.end - region.start);
    out.varint(region.categories);
    last_end = region.end;
  }
}

std::vector<PageRegion> get_regions(ByteReader& in, std::uint64_t asked) {
  const std::size_t count = in.count(3);
  if (count > asked) in.fail(ErrorCode::malformed, "PAGEMAP_SCAN returned more than it was asked");
  std::vector<PageRegion> regions;
  std::uint64_t last_end = 0;
  for (std::size_t index = 0; index < count && !in.error(); ++index) {
    PageRegion region;
    region.start = last_end + in.varint();
    region.end = last_end = region.start + in.varint();
    region.categories = in.varint();
    regions.push_back(region);
  }
  return regions;
}

void put_names(ByteWriter& out, std::span<const std::string> names) {
  out.varint(names.size());
  for (const std::string& name : names) out.text(name);
}

std::vector<std::string> get_names(ByteReader& in) {
  const std::size_t count = in.count();
  std::vector<std::string> names;
  for (std::size_t index = 0; index < count && !in.error(); ++index) names.push_back(in.text());
  return names;
}

void put_vma(ByteWriter& out, const std::optional<VmaGeometry>& vma) {
  out.byte(vma ? 1 : 0);
  if (!vma) return;
  out.varint(vma->start);
  out.varint(vma->end);
  out.byte(vma->has_file ? 1 : 0);
}

std::optional<VmaGeometry> get_vma(ByteReader& in) {
  if (!in.boolean()) return std::nullopt;
  VmaGeometry vma;
  vma.start = in.varint();
  vma.end = in.varint();
  vma.has_file = in.boolean();
  return vma;
}

void put_answer(ByteWriter& out, const CaptureEvent& event, DataEncoding data) {
  const KernelAnswer& answer = event.answer;
  switch (event.call.operation) {
    case KernelOperation::open:
    case KernelOperation::open_directory:
    case KernelOperation::open_at:
    case KernelOperation::open_directory_at:
      out.varint(answer.number);
      out.text(answer.text);
      return;
    case KernelOperation::read:
    case KernelOperation::pread: put_data(out, answer, data); return;
    case KernelOperation::rewind:
    case KernelOperation::sleep_for: return;
    case KernelOperation::pagemap_scan:
      out.varint(answer.number);
      put_regions(out, answer.regions);
      return;
    case KernelOperation::procmap_query: put_vma(out, answer.vma); return;
    case KernelOperation::list: put_names(out, answer.names); return;
    case KernelOperation::read_link: out.text(answer.text); return;
    case KernelOperation::identify:
      out.varint(answer.identity.device);
      out.varint(answer.identity.inode);
      out.signed_varint(answer.identity.change_time_ns);
      return;
    case KernelOperation::owner:
    case KernelOperation::process_exists:
    case KernelOperation::same_mm:
    case KernelOperation::monotonic_now:
    case KernelOperation::wall_now:
    case KernelOperation::entropy: out.varint(answer.number); return;
  }
}

void get_answer(ByteReader& in, CaptureEvent& event) {
  KernelAnswer& answer = event.answer;
  switch (event.call.operation) {
    case KernelOperation::open:
    case KernelOperation::open_directory:
    case KernelOperation::open_at:
    case KernelOperation::open_directory_at:
      answer.number = in.varint();
      answer.text = in.text();
      return;
    case KernelOperation::read:
    case KernelOperation::pread: answer.data = get_data(in, event.call.size); return;
    case KernelOperation::rewind:
    case KernelOperation::sleep_for: return;
    case KernelOperation::pagemap_scan:
      answer.number = in.varint();
      answer.regions = get_regions(in, event.call.size);
      return;
    case KernelOperation::procmap_query: answer.vma = get_vma(in); return;
    case KernelOperation::list: answer.names = get_names(in); return;
    case KernelOperation::read_link: answer.text = in.text(); return;
    case KernelOperation::identify:
      answer.identity.device = in.varint();
      answer.identity.inode = in.varint();
      answer.identity.change_time_ns = in.signed_varint();
      return;
    case KernelOperation::owner:
    case KernelOperation::process_exists:
    case KernelOperation::same_mm:
    case KernelOperation::monotonic_now:
    case KernelOperation::wall_now:
    case KernelOperation::entropy: answer.number = in.varint(); return;
  }
}

}  // namespace

void encode_event(const CaptureEvent& event, DataEncoding data, std::vector<std::byte>& out) {
  ByteWriter writer{out};
  writer.byte(static_cast<std::uint8_t>(event.call.operation));
  ArgumentWriter arguments{writer};
  code_arguments(arguments, event.call);
  writer.signed_varint(event.started_ns);
  writer.varint(event.took_ns);
  writer.byte(event.answer.error ? 1 : 0);
  if (event.answer.error) {
    put_error(writer, *event.answer.error);
  } else {
    put_answer(writer, event, data);
  }
}

Result<CaptureEvent> decode_event(std::span<const std::byte> body) {
  ByteReader reader{body};
  const std::uint8_t operation = reader.byte();
  if (operation == 0 || operation > kLastKernelOperation) {
    reader.fail(ErrorCode::malformed, "an unknown operation");
    return *reader.error();
  }
  CaptureEvent event;
  event.call.operation = static_cast<KernelOperation>(operation);
  ArgumentReader arguments{reader};
  code_arguments(arguments, event.call);
  event.started_ns = reader.signed_varint();
  event.took_ns = reader.varint();
  if (reader.boolean()) {
    event.answer.error = get_error(reader);
  } else {
    get_answer(reader, event);
  }
  if (reader.left() != 0) reader.fail(ErrorCode::malformed, "an event is longer than its content");
  if (reader.error()) return *reader.error();
  return event;
}

}  // namespace smaps_audit
