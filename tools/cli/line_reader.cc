#include "line_reader.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace chronik::cli {
namespace {

constexpr size_t kReadBytes = 256 << 10;

}  // namespace

LineReader::LineReader(int fd, size_t max_line_bytes)
    : fd_(fd), max_line_bytes_(max_line_bytes), buffer_(2 * kReadBytes, '\0') {}

const std::vector<std::string_view>& LineReader::next() {
  first_line_ += lines_.size();
  lines_.clear();
  while (lines_.empty() && !ended_ && !error_) {
    // The unfinished line moves to the front, with room for one read behind it.
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < kReadBytes) buffer_.resize(2 * buffer_.size());
    const size_t searched = end_;
    const ssize_t got = ::read(fd_, buffer_.data() + end_, kReadBytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      error_ = fmt::format("reading the input: {}", std::strerror(errno));
      break;
    }
    end_ += static_cast<size_t>(got);
    if (got == 0) {
      ended_ = true;
      if (end_ > begin_) lines_.emplace_back(buffer_.data() + begin_, end_ - begin_);
      begin_ = end_;
    }
    for (size_t from = searched; from < end_;) {
      const auto* newline =
          static_cast<const char*>(std::memchr(buffer_.data() + from, '\n', end_ - from));
      if (newline == nullptr) break;
      const size_t at = static_cast<size_t>(newline - buffer_.data());
      lines_.emplace_back(buffer_.data() + begin_, at - begin_);
      begin_ = from = at + 1;
    }
    if (lines_.empty() && end_ - begin_ > max_line_bytes_)
      error_ = fmt::format("line {} is longer than the limit of {} bytes for one record",
                           first_line_, max_line_bytes_);
  }
  return lines_;
}

}  // namespace chronik::cli
