// LineReader: splits a file descriptor's bytes into lines, many at a time.
//
// Each call takes what one read() gives, without waiting for more, so that a slow writer's lines
// go on at once. The bytes are any; a last line without newline counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chronik::cli {

class LineReader {
 public:
  // A line longer than `max_line_bytes` ends the reading: error() says so.
  LineReader(int fd, size_t max_line_bytes);

  // The next lines, at least one, valid until the next call; empty at the end and after an error.
  const std::vector<std::string_view>& next();
  // Number of the first line that next() returned; the first line of all is 1.
  uint64_t first_line() const { return first_line_; }
  // Why it ended, if not at the end of input.
  const std::optional<std::string>& error() const { return error_; }

 private:
  const int fd_;
  const size_t max_line_bytes_;
  std::string buffer_;
  size_t begin_ = 0;  // of the unfinished line, in buffer_
  size_t end_ = 0;    // of what was read
  bool ended_ = false;
  uint64_t first_line_ = 1;
  std::vector<std::string_view> lines_;
  std::optional<std::string> error_;
};

}  // namespace chronik::cli
