// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/json_depth.h"

namespace kenning {

bool NestsAtMost(std::string_view json, std::size_t levels) {
  std::size_t level = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      if (c == '\\') ++i;
      if (c == '"') in_text = false;
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++level > levels) return false;
    } else if ((c == ']' || c == '}') && level > 0) {
      --level;
    }
  }
  return true;
}

}  // namespace kenning
