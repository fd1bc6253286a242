// SPDX-License-Identifier: Apache-2.0
#include "tests/support/capture_edit.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "collect/capture_file.h"
#include "parsers/pagemap.h"

namespace smaps_audit {
namespace {

constexpr std::uint64_t kPresentBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kExclusiveBit = std::uint64_t{1} << 56;
constexpr std::uint64_t kSoftDirtyBit = std::uint64_t{1} << 55;

Error usage(std::string what) { return Error{.code = ErrorCode::usage, .what = std::move(what)}; }

/// "/proc/7/smaps" is the file smaps; files of single threads are nobody's target.
bool names_file(std::string_view path, std::string_view file) {
  return path.ends_with(file) && path.substr(0, path.size() - file.size()).ends_with('/') &&
         path.find("/task/") == std::string_view::npos;
}

class Editor {
 public:
  Editor(const CaptureEdit& edit, std::uint64_t page_bytes)
      : edit_(edit), page_bytes_(page_bytes) {}

  Result<Ok> apply(CaptureEvent& event);
  [[nodiscard]] std::uint64_t edits() const { return edits_; }

 private:
  struct Opened {
    std::string path;
    std::optional<std::uint64_t> current_vma = {};
    std::uint64_t grown = 0;  ///< bytes since offset 0, modulo 2^64: the next pread starts later
  };

  Result<Ok> edit_text(CaptureEvent& event, Opened& opened);
  Result<Ok> edit_words(CaptureEvent& event);
  Result<Ok> edit_regions(CaptureEvent& event);

  const CaptureEdit& edit_;
  std::uint64_t page_bytes_;
  std::map<std::uint64_t, Opened> opened_;
  std::uint64_t edits_ = 0;
};

Result<Ok> Editor::apply(CaptureEvent& event) {
  if (event.answer.error) return Ok{};
  const bool scan = edit_.file == "pagemap_scan";
  switch (event.call.operation) {
    case KernelOperation::open:
    case KernelOperation::open_at:
      opened_[event.answer.number] = Opened{.path = event.answer.text};
      return Ok{};
    case KernelOperation::rewind: opened_[event.call.handle].current_vma.reset(); return Ok{};
    case KernelOperation::read:
    case KernelOperation::pread:
      if (!names_file(opened_[event.call.handle].path, edit_.file)) return Ok{};
      if (edit_.file == "pagemap") return edit_words(event);
      if (event.call.offset == 0) opened_[event.call.handle].grown = 0;
      if (event.call.operation == KernelOperation::pread && event.call.offset != 0) {
        event.call.offset += opened_[event.call.handle].grown;
      }
      return edit_text(event, opened_[event.call.handle]);
    case KernelOperation::pagemap_scan: return scan ? edit_regions(event) : Result<Ok>{Ok{}};
    default: return Ok{};
  }
}

Result<Ok> Editor::edit_text(CaptureEvent& event, Opened& opened) {
  std::vector<std::byte>& data = event.answer.data;
  const std::string_view text{reinterpret_cast<const char*>(data.data()), data.size()};
  const auto edited = [&]() -> Result<EditedText> {
    if (edit_.file == "numa_maps") {
      return edit_numa_maps(text, *edit_.vma_start, edit_.field, edit_.change);
    }
    if (edit_.file == "statm") return edit_statm(text, edit_.field, edit_.change);
    if (!edit_.vma_start) return edit_fields(text, edit_.field, edit_.change);
    return edit_smaps(text, *edit_.vma_start, edit_.field, edit_.change, opened.current_vma);
  }();
  if (!edited) return edited.error();
  if (edited->edits == 0) return Ok{};
  if (edited->text.size() > event.call.size) {
    return usage("the changed text does not fit into the " + std::to_string(event.call.size) +
                 " bytes that were asked for");
  }
  opened.grown += edited->text.size() - data.size();
  const auto bytes = std::as_bytes(std::span{edited->text});
  data.assign(bytes.begin(), bytes.end());
  edits_ += edited->edits;
  return Ok{};
}

Result<Ok> Editor::edit_words(CaptureEvent& event) {
  const std::uint64_t at = *edit_.page_address / page_bytes_ * sizeof(std::uint64_t);
  std::vector<std::byte>& data = event.answer.data;
  const std::uint64_t from = event.call.offset;
  if (event.call.operation != KernelOperation::pread || at < from || at - from + 8 > data.size()) {
    return Ok{};
  }
  const auto word_bytes = std::span{data}.subspan(static_cast<std::size_t>(at - from), 8);
  std::uint64_t word = 0;
  std::copy(word_bytes.begin(), word_bytes.end(),
            std::as_writable_bytes(std::span{&word, 1}).begin());
  // Exclusive is what a private page of its own has: sure without knowing its page frame.
  word = edit_.present ? word | kPresentBit | kExclusiveBit : word & kSoftDirtyBit;
  const auto changed = std::as_bytes(std::span{&word, 1});
  std::copy(changed.begin(), changed.end(), word_bytes.begin());
  ++edits_;
  return Ok{};
}

Result<Ok> Editor::edit_regions(CaptureEvent& event) {
  const std::uint64_t page = *edit_.page_address / page_bytes_ * page_bytes_;
  const std::uint64_t page_end = page + page_bytes_;
  if (page < event.call.start || page_end > event.answer.number) return Ok{};
  std::vector<PageRegion> regions;
  for (const PageRegion& region : event.answer.regions) {
    const PageRegion before{region.start, std::min(region.end, page), region.categories};
    const PageRegion after{std::max(region.start, page_end), region.end, region.categories};
    if (before.start < before.end) regions.push_back(before);
    if (after.start < after.end) regions.push_back(after);
  }
  if (edit_.present) {
    const auto behind = std::find_if(regions.begin(), regions.end(), [&](const PageRegion& region) {
      return region.start >= page_end;
    });
    regions.insert(behind, {page, page_end, page_is::kPresent & event.call.return_mask});
  }
  if (regions.size() > event.call.size) {
    return usage("the split region does not fit into the " + std::to_string(event.call.size) +
                 " that were asked for");
  }
  event.answer.regions = std::move(regions);
  ++edits_;
  return Ok{};
}

Result<Ok> check(const CaptureEdit& edit) {
  const bool pages = edit.file == "pagemap" || edit.file == "pagemap_scan";
  if (edit.file.empty()) return usage("no file named");
  if (pages && !edit.page_address) return usage(edit.file + " needs the address of a page");
  if (edit.file == "numa_maps" && !edit.vma_start) return usage("numa_maps needs a VMA");
  if (edit.file == "smaps" && !edit.vma_start) return usage("smaps needs a VMA");
  if (!pages && edit.field.empty()) return usage("no field named");
  if (edit.change.divided_by == 0) return usage("nothing is divided by 0");
  return Ok{};
}

}  // namespace

Result<std::uint64_t> edit_capture(const std::string& in, const std::string& out,
                                   const CaptureEdit& edit) {
  if (Result<Ok> sound = check(edit); !sound) return sound.error();
  Result<CaptureReader> reader = CaptureReader::open(in);
  if (!reader) return reader.error();
  Result<CaptureWriter> writer = CaptureWriter::create(out, reader->metadata());
  if (!writer) return writer.error();
  Editor editor{edit, reader->metadata().host.pages.page_bytes};
  for (;;) {
    Result<std::optional<CaptureEvent>> event = reader->next();
    if (!event) return event.error();
    if (!*event) break;
    if (Result<Ok> applied = editor.apply(**event); !applied) return applied.error();
    // Words are the smaller encoding wherever they fit, whatever the file.
    const bool words = (*event)->answer.data.size() % sizeof(std::uint64_t) == 0 &&
                       (*event)->call.operation == KernelOperation::pread;
    writer->append(**event, words ? DataEncoding::words : DataEncoding::raw);
  }
  if (editor.edits() == 0) return usage("no read of the capture matches the edit");
  if (Result<Ok> finished = writer->finish(); !finished) return finished.error();
  return editor.edits();
}

Result<std::string> last_text(const std::string& capture, std::string_view file) {
  Result<CaptureReader> reader = CaptureReader::open(capture);
  if (!reader) return reader.error();
  std::string text;
  std::set<std::uint64_t> handles;
  bool begins = true;
  for (;;) {
    Result<std::optional<CaptureEvent>> event = reader->next();
    if (!event) return event.error();
    if (!*event) break;
    const KernelCall& call = (*event)->call;
    const KernelAnswer& answer = (*event)->answer;
    if (answer.error) continue;
    const bool opens =
        call.operation == KernelOperation::open || call.operation == KernelOperation::open_at;
    if (opens && names_file(answer.text, file)) handles.insert(answer.number);
    if (!handles.contains(opens ? answer.number : call.handle)) continue;
    const bool positioned = call.operation == KernelOperation::pread;
    if (call.operation == KernelOperation::read || positioned) {
      if (begins || (positioned && call.offset == 0)) text.clear();
      text.append(reinterpret_cast<const char*>(answer.data.data()), answer.data.size());
      begins = false;
    } else {
      begins = true;
    }
  }
  if (text.empty()) return usage("the capture holds no " + std::string{file});
  return text;
}

}  // namespace smaps_audit
