// The places of this plugin's options in its table, which is in plugin.cc.
#pragma once

#include <cstddef>

namespace chronik::memory {

enum Option : size_t { kMaxBytes };

}  // namespace chronik::memory
