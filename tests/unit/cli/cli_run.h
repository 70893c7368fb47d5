// Runs `chronik` in this process, with files in place of the standard streams.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "run.h"

namespace chronik::test {

struct CliResult {
  int exit = 0;
  std::string out;
  std::string err;
};

// An anonymous file.
inline int file_with(const std::string& content) {
  const int fd = ::memfd_create("test", MFD_CLOEXEC);
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t written = ::write(fd, content.data() + done, content.size() - done);
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

inline std::string content_of(int fd) {
  ::lseek(fd, 0, SEEK_SET);
  std::string content;
  char buffer[65536];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
    content.append(buffer, static_cast<size_t>(got));
  return content;
}

inline CliResult run_cli_on(const std::vector<std::string>& args, int in_fd) {
  cli::Io io;
  io.in_fd = in_fd;
  io.out_fd = file_with("");
  io.err_fd = file_with("");
  CliResult result;
  result.exit = cli::run(args, io);
  result.out = content_of(io.out_fd);
  result.err = content_of(io.err_fd);
  ::close(io.out_fd);
  ::close(io.err_fd);
  return result;
}

inline CliResult run_cli(const std::vector<std::string>& args, const std::string& input = "") {
  const int in_fd = file_with(input);
  CliResult result = run_cli_on(args, in_fd);
  ::close(in_fd);
  return result;
}

}  // namespace chronik::test
