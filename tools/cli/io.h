// Io: where a verb reads and writes. Tests put files and pipes in place of the standard ones.
#pragma once

#include <string_view>

namespace chronik::cli {

// Exit statuses; documented in the help and in docs/API.md.
enum Exit : int {
  kOk = 0,
  kFailed = 1,       // the operation was refused or failed
  kUsage = 2,        // wrong command line
  kUnreachable = 3,  // no node answered
  kInDoubt = 4,      // something may or may not have happened
};

struct Io {
  int in_fd = 0;
  int out_fd = 1;
  int err_fd = 2;
  bool progress = false;  // somebody is looking at err_fd

  // Write everything, whatever it takes; false if the other side is gone.
  bool out(std::string_view bytes) const;
  bool err(std::string_view bytes) const;
};

}  // namespace chronik::cli
