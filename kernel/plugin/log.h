// LogSink and Logger: the one place where lines of text leave the process.
//
// A LogSink writes whole lines to standard error (or to a function, in tests):
//
//   2026-11-23T21:12:30.123Z info  segment_wal/main: recovered 12 groups
//
// A Logger is a cheap value that writes to a sink under a label; plugins' lines get the label
// "component/instance". Line breaks inside a message are written as "\n", so that one message is
// one line. Levels are those of the ABI (CHRONIK_LOG_*). Not for anything that happens per record.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "chronik/abi/base.h"

namespace chronik {

// "trace", "debug", "info", "warn", "error", "off".
std::string_view log_level_name(int32_t level);
// The reverse; an unknown word is INVALID_ARGUMENT and names the nearest.
Result<int32_t> parse_log_level(std::string_view name);

// Thread: any, concurrently. Outlives every Logger and InstanceHost made of it.
class LogSink {
 public:
  using Writer = std::function<void(std::string_view line)>;

  // Writes to standard error, in colour if that is a terminal.
  explicit LogSink(int32_t level = CHRONIK_LOG_INFO);
  // Hands each line (without line break) to `writer`, one at a time.
  LogSink(int32_t level, Writer writer);
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  void write(int32_t level, std::string_view label, std::string_view message);
  bool logs(int32_t level) const { return level >= __atomic_load_n(&level_, __ATOMIC_RELAXED); }
  void set_level(int32_t level) { __atomic_store_n(&level_, level, __ATOMIC_RELAXED); }
  // What plugins read before they format anything.
  const int32_t* level() const { return &level_; }

 private:
  struct Impl;
  int32_t level_;
  std::unique_ptr<Impl> impl_;
};

class Logger {
 public:
  // Drops everything.
  Logger() = default;
  Logger(LogSink* sink, std::string label) : sink_(sink), label_(std::move(label)) {}

  bool logs(int32_t level) const { return sink_ != nullptr && sink_->logs(level); }
  void log(int32_t level, std::string_view message) const {
    if (logs(level)) sink_->write(level, label_, message);
  }
  void debug(std::string_view message) const { log(CHRONIK_LOG_DEBUG, message); }
  void info(std::string_view message) const { log(CHRONIK_LOG_INFO, message); }
  void warn(std::string_view message) const { log(CHRONIK_LOG_WARN, message); }
  void error(std::string_view message) const { log(CHRONIK_LOG_ERROR, message); }
  const std::string& label() const { return label_; }

 private:
  LogSink* sink_ = nullptr;
  std::string label_;
};

}  // namespace chronik
