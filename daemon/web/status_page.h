// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "daemon/web/http.h"

namespace smaps_audit {

/// The page for people at "/". Its script asks /api/v1/status (docs/api.md) for everything that is
/// shown; `status_json` is the same document as of now, of which the page holds a summary for
/// browsers without JavaScript: the verdict, the groups, the findings.
HttpResponse status_page(std::string_view status_json);

/// "/page.css" and "/page.js"; nullopt for any other path.
std::optional<HttpResponse> status_page_file(std::string_view path);

}  // namespace smaps_audit
