// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <systemd/sd-event.h>

#include <memory>

namespace smaps_audit::service {

struct EventUnref {
  void operator()(sd_event* event) const { ::sd_event_unref(event); }
};
struct SourceUnref {
  void operator()(sd_event_source* source) const { ::sd_event_source_disable_unref(source); }
};
using EventPtr = std::unique_ptr<sd_event, EventUnref>;
using SourcePtr = std::unique_ptr<sd_event_source, SourceUnref>;

}  // namespace smaps_audit::service
