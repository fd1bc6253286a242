// SPDX-License-Identifier: Apache-2.0
// The first byte chooses what the rest is: 0 a whole capture file, 1 the unpacked events of one
// (the checksums would keep a fuzzer out), else the body of one event.
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <vector>

#include "collect/capture_file.h"
#include "collect/capture_format.h"
#include "tests/fuzz/fuzz_check.h"

using namespace smaps_audit;

namespace {

using Bytes = std::span<const std::uint8_t>;

std::vector<std::uint8_t> packed(Bytes raw) {
  std::vector<std::uint8_t> file(capture_format::kHeader.begin(), capture_format::kHeader.end());
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context{ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx};
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, capture_format::kWindowLog);
  const std::size_t had = file.size();
  file.resize(had + ZSTD_compressBound(raw.size()) + 64);
  ZSTD_outBuffer out{file.data(), file.size(), had};
  ZSTD_inBuffer in{raw.data(), raw.size(), 0};
  ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_continue);
  ZSTD_compressStream2(context.get(), &out, &in, ZSTD_e_end);
  file.resize(out.pos);
  return file;
}

void read_file(Bytes content) {
  UniqueFd fd{::memfd_create("capture", MFD_CLOEXEC)};
  fuzz::require(::write(fd.get(), content.data(), content.size()) ==
                static_cast<ssize_t>(content.size()));
  Result<CaptureReader> reader = CaptureReader::from_descriptor(std::move(fd), "capture");
  if (!reader) {
    const Error& error = reader.error();
    fuzz::require(error.code == ErrorCode::malformed || error.code == ErrorCode::truncated);
    fuzz::require(error.file == "capture" && error.offset && *error.offset <= content.size());
    return;
  }
  for (std::uint64_t calls = 0;; ++calls) {
    const Result<std::optional<CaptureEvent>> event = reader->next();
    fuzz::require(event.ok());  // all was verified
    if (!*event) {
      fuzz::require(calls == reader->calls());
      return;
    }
  }
}

void read_event(Bytes body) {
  const Result<CaptureEvent> event = decode_event(std::as_bytes(body));
  if (!event) {
    fuzz::require(event.error().offset && *event.error().offset <= body.size());
    return;
  }
  fuzz::require(event->answer.data.size() <= event->call.size);
  for (const DataEncoding data : {DataEncoding::raw, DataEncoding::words}) {
    std::vector<std::byte> encoded;
    encode_event(*event, data, encoded);
    const Result<CaptureEvent> again = decode_event(encoded);
    fuzz::require(again.ok() && again->call == event->call &&
                  again->answer.data == event->answer.data);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes rest{data + 1, size - 1};
  switch (data[0]) {
    case 0: read_file(rest); break;
    case 1: read_file(packed(rest)); break;
    default: read_event(rest); break;
  }
  return 0;
}
