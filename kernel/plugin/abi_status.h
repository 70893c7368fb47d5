// From the SDK's status, which the proxies return, to the kernel's.
#pragma once

#include "base/status.h"
#include "chronik/sdk/base.hpp"

namespace chronik {

// Keeps code and message; a code that this kernel doesn't know becomes INTERNAL and is named in the
// message. `detail` has no place in the kernel's status.
Status to_kernel(const sdk::Status& status);

}  // namespace chronik
