#include "plugin/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <array>
#include <mutex>

#include "plugin/options.h"

namespace chronik {
namespace {

constexpr std::array<std::string_view, 6> kLevelNames = {"trace", "debug", "info",
                                                         "warn",  "error", "off"};

spdlog::level::level_enum to_spdlog(int32_t level) {
  switch (level) {
    case CHRONIK_LOG_TRACE: return spdlog::level::trace;
    case CHRONIK_LOG_DEBUG: return spdlog::level::debug;
    case CHRONIK_LOG_INFO: return spdlog::level::info;
    case CHRONIK_LOG_WARN: return spdlog::level::warn;
    default: return spdlog::level::err;
  }
}

// The level's name in five columns.
class LevelFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string_view name;
    switch (message.level) {
      case spdlog::level::trace: name = "trace"; break;
      case spdlog::level::debug: name = "debug"; break;
      case spdlog::level::info: name = "info "; break;
      case spdlog::level::warn: name = "warn "; break;
      default: name = "error"; break;
    }
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<LevelFlag>();
  }
};

class WriterSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit WriterSink(LogSink::Writer writer) : writer_(std::move(writer)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    writer_({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  LogSink::Writer writer_;
};

// `label: message` on one line whatever the message holds.
std::string one_line(std::string_view label, std::string_view message) {
  std::string text;
  text.reserve(label.size() + 2 + message.size());
  text.append(label);
  if (!label.empty()) text.append(": ");
  for (const char c : message) {
    if (c == '\n') {
      text.append("\\n");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      text.push_back('?');
    } else {
      text.push_back(c);
    }
  }
  return text;
}

}  // namespace

std::string_view log_level_name(int32_t level) {
  if (level < CHRONIK_LOG_TRACE || level > CHRONIK_LOG_OFF) return "unknown";
  return kLevelNames[static_cast<size_t>(level)];
}

Result<int32_t> parse_log_level(std::string_view name) {
  for (size_t i = 0; i < kLevelNames.size(); ++i) {
    if (kLevelNames[i] == name) return static_cast<int32_t>(i);
  }
  const std::vector<std::string> names(kLevelNames.begin(), kLevelNames.end());
  return Status(Code::kInvalidArgument, "expected trace, debug, info, warn, error or off, found '" +
                                            std::string(name) + "'" + did_you_mean(name, names));
}

struct LogSink::Impl {
  std::shared_ptr<spdlog::sinks::sink> sink;
};

LogSink::LogSink(int32_t level) : level_(level), impl_(std::make_unique<Impl>()) {
  impl_->sink =
      std::make_shared<spdlog::sinks::stderr_color_sink_mt>(spdlog::color_mode::automatic);
  auto formatter =
      std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc, "\n");
  formatter->add_flag<LevelFlag>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%*%$ %v");
  impl_->sink->set_formatter(std::move(formatter));
}

LogSink::LogSink(int32_t level, Writer writer) : level_(level), impl_(std::make_unique<Impl>()) {
  impl_->sink = std::make_shared<WriterSink>(std::move(writer));
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc, "");
  formatter->add_flag<LevelFlag>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %* %v");
  impl_->sink->set_formatter(std::move(formatter));
}

LogSink::~LogSink() = default;

void LogSink::write(int32_t level, std::string_view label, std::string_view message) {
  if (!logs(level) || level >= CHRONIK_LOG_OFF) return;
  const std::string text = one_line(label, message);
  impl_->sink->log(spdlog::details::log_msg(spdlog::string_view_t(), to_spdlog(level), text));
}

}  // namespace chronik
