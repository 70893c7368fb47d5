// Saved states of a stream from a damaged disk: restored exactly or refused. The input's last four
// bytes are replaced by its checksum, or nothing would get past it.
#include <cstdlib>
#include <string>

#include "chronik/sdk/crc32c.hpp"
#include "saved_state.h"

namespace stream = chronik::stream;
namespace sdk = chronik::sdk;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string saved(reinterpret_cast<const char*>(data), size);
  if (size >= 8) {
    const uint32_t crc = sdk::crc32c(saved.data(), size - 4);
    for (size_t i = 0; i < 4; ++i) saved[size - 4 + i] = static_cast<char>(crc >> (24 - 8 * i));
  }
  stream::StreamState state(1000);
  if (!stream::read_state(saved, state).ok()) return 0;
  std::string written;
  const chronik_sink sink = {&written, [](void* context, chronik_slice bytes) noexcept -> int32_t {
                               static_cast<std::string*>(context)->append(sdk::view(bytes));
                               return CHRONIK_OK;
                             }};
  if (!stream::write_state(state, sink).ok() || written != saved) std::abort();
  return 0;
}
