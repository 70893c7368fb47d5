// Reactions to broken invariants. Operating errors are Status values and never end up here.
//
//   CHRONIK_CHECK(condition, message)   always on; prints place and message, then aborts.
//   CHRONIK_DCHECK(condition, message)  the same in debug, sanitizer and simulator builds only.
#pragma once

#include <string_view>

namespace chronik {
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               std::string_view message);
}  // namespace chronik

#define CHRONIK_CHECK(condition, message)                               \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::chronik::check_failed(__FILE__, __LINE__, #condition, message); \
  } while (false)

#ifdef CHRONIK_DEBUG_CHECKS
#define CHRONIK_DCHECK(condition, message) CHRONIK_CHECK(condition, message)
#else
#define CHRONIK_DCHECK(condition, message) \
  do {                                     \
    (void)sizeof(!(condition));            \
  } while (false)
#endif
