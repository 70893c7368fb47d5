#include "io.h"

#include <unistd.h>

#include <cerrno>

namespace chronik::cli {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

bool Io::out(std::string_view bytes) const {
  return write_all(out_fd, bytes);
}
bool Io::err(std::string_view bytes) const {
  return write_all(err_fd, bytes);
}

}  // namespace chronik::cli
