#include "plugin/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <deque>
#include <limits>
#include <numeric>
#include <optional>
#include <set>

namespace chronik {
namespace {

using Wide = __int128;

Status expected(std::string_view what, std::string_view found) {
  return Status(Code::kInvalidArgument, fmt::format("expected {}, found '{}'", what, found));
}

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr int64_t kKibi = 1024;
constexpr int64_t kKilo = 1000;
// Largest first within each family: format_bytes() takes the first that divides.
constexpr Unit kByteUnits[] = {{"TiB", kKibi* kKibi* kKibi* kKibi},
                               {"GiB", kKibi* kKibi* kKibi},
                               {"MiB", kKibi* kKibi},
                               {"KiB", kKibi},
                               {"TB", kKilo* kKilo* kKilo* kKilo},
                               {"GB", kKilo* kKilo* kKilo},
                               {"MB", kKilo* kKilo},
                               {"KB", kKilo},
                               {"B", 1}};
constexpr Unit kDurationUnits[] = {{"d", 86'400'000'000'000},
                                   {"h", 3'600'000'000'000},
                                   {"m", 60'000'000'000},
                                   {"min", 60'000'000'000},
                                   {"s", 1'000'000'000},
                                   {"ms", 1'000'000},
                                   {"us", 1'000},
                                   {"ns", 1}};

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// A decimal number split into digits and the count of those behind the point.
struct Decimal {
  Wide digits = 0;
  int scale = 0;
  std::string_view rest;  // what follows the number, without blanks in front
};

// Up to 18 digits, at most 9 of them behind the point: enough for every unit, exact in 128 bits.
std::optional<Decimal> read_decimal(std::string_view text) {
  Decimal decimal;
  size_t at = 0;
  int count = 0;
  bool behind_point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !behind_point && count > 0) {
      behind_point = true;
    } else if (c >= '0' && c <= '9') {
      decimal.digits = decimal.digits * 10 + (c - '0');
      ++count;
      if (behind_point) ++decimal.scale;
    } else {
      break;
    }
    if (count > 20 || decimal.scale > 9) return std::nullopt;
  }
  if (count == 0 || text[at - 1] == '.') return std::nullopt;
  while (at < text.size() && text[at] == ' ') ++at;
  decimal.rest = text.substr(at);
  return decimal;
}

// decimal * factor if that is a whole number.
std::optional<Wide> scaled(const Decimal& decimal, int64_t factor) {
  Wide value = decimal.digits * factor;
  for (int i = 0; i < decimal.scale; ++i) {
    if (value % 10 != 0) return std::nullopt;
    value /= 10;
  }
  return value;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // Restricted Damerau-Levenshtein: swapping two neighbours counts once.
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> current(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({change, last[j] + 1, current[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

template <typename Text>
std::string_view nearest_of(std::string_view name, std::span<const Text> candidates) {
  std::string_view best;
  size_t best_distance = name.size() < 4 ? 2 : name.size() / 3 + 2;  // the first too far
  for (const Text& candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  if (!best.empty() || name.size() < 3) return best;
  for (const Text& candidate : candidates) {
    if (std::string_view(candidate).starts_with(name)) return candidate;
  }
  return {};
}

std::vector<std::string> words_of(const char* enum_values) {
  std::vector<std::string> words;
  std::string_view rest = enum_values != nullptr ? enum_values : "";
  while (!rest.empty()) {
    const size_t bar = std::min(rest.find('|'), rest.size());
    words.emplace_back(rest.substr(0, bar));
    rest.remove_prefix(std::min(bar + 1, rest.size()));
  }
  return words;
}

Status check_endpoint(std::string_view text) {
  constexpr std::string_view kWhat = "host:port such as 127.0.0.1:7001 or [::1]:7001";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return expected(kWhat, text);
  const std::string_view host = text.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!bracketed && host.find_first_of(":[] ") != std::string_view::npos) {
    return expected(kWhat, text);
  }
  const Result<uint64_t> port = parse_u64(text.substr(colon + 1));
  if (!port.ok() || port.value() > 65535)
    return expected("a port from 0 to 65535 in host:port", text);
  return {};
}

// Parses without bounds.
Status parse_unbounded(const chronik_option& option, std::string_view text, chronik_value& value) {
  switch (option.type) {
    case CHRONIK_OPTION_BOOL: {
      CHRONIK_ASSIGN_OR_RETURN(const bool parsed, parse_bool(text));
      value.number.u64 = parsed ? 1 : 0;
      return {};
    }
    case CHRONIK_OPTION_I64: {
      CHRONIK_ASSIGN_OR_RETURN(value.number.i64, parse_i64(text));
      return {};
    }
    case CHRONIK_OPTION_U64: {
      CHRONIK_ASSIGN_OR_RETURN(value.number.u64, parse_u64(text));
      return {};
    }
    case CHRONIK_OPTION_F64: {
      CHRONIK_ASSIGN_OR_RETURN(value.number.f64, parse_f64(text));
      return {};
    }
    case CHRONIK_OPTION_BYTES: {
      CHRONIK_ASSIGN_OR_RETURN(value.number.u64, parse_bytes(text));
      return {};
    }
    case CHRONIK_OPTION_DURATION: {
      CHRONIK_ASSIGN_OR_RETURN(value.number.i64, parse_duration_ns(text));
      return {};
    }
    case CHRONIK_OPTION_STRING: return {};
    case CHRONIK_OPTION_PATH:
      if (text.empty()) return expected("a path", text);
      return {};
    case CHRONIK_OPTION_ENDPOINT: return check_endpoint(text);
    case CHRONIK_OPTION_ENUM: {
      const std::vector<std::string> words = words_of(option.enum_values);
      if (std::find(words.begin(), words.end(), text) != words.end()) return {};
      return Status(Code::kInvalidArgument,
                    fmt::format("expected one of {}, found '{}'{}", fmt::join(words, ", "), text,
                                did_you_mean(text, words)));
    }
    default: return Status(Code::kInvalidArgument, fmt::format("has unknown type {}", option.type));
  }
}

bool is_numeric(uint32_t type) {
  return type == CHRONIK_OPTION_I64 || type == CHRONIK_OPTION_U64 || type == CHRONIK_OPTION_F64 ||
         type == CHRONIK_OPTION_BYTES || type == CHRONIK_OPTION_DURATION;
}

bool less(uint32_t type, const chronik_value& a, const chronik_value& b) {
  switch (type) {
    case CHRONIK_OPTION_I64:
    case CHRONIK_OPTION_DURATION: return a.number.i64 < b.number.i64;
    case CHRONIK_OPTION_F64: return a.number.f64 < b.number.f64;
    default: return a.number.u64 < b.number.u64;
  }
}

// Pre: the bounds themselves parse (check_option_table).
Status check_bounds(const chronik_option& option, std::string_view text,
                    const chronik_value& value) {
  if (!is_numeric(option.type)) return {};
  chronik_value bound{};
  if (option.min_value != nullptr) {
    CHRONIK_TRY(parse_unbounded(option, option.min_value, bound).annotate("lower bound"));
    if (less(option.type, value, bound)) {
      return expected(fmt::format("at least {}", option.min_value), text);
    }
  }
  if (option.max_value != nullptr) {
    CHRONIK_TRY(parse_unbounded(option, option.max_value, bound).annotate("upper bound"));
    if (less(option.type, bound, value)) {
      return expected(fmt::format("at most {}", option.max_value), text);
    }
  }
  return {};
}

bool is_option_name(const char* name) {
  if (name == nullptr || *name < 'a' || *name > 'z') return false;
  for (const char* c = name; *c != '\0'; ++c) {
    const bool good = (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '_';
    if (!good) return false;
  }
  return true;
}

}  // namespace

const chronik_option* find_option(OptionTable options, std::string_view name) {
  for (const chronik_option& option : options) {
    if (name == option.name) return &option;
  }
  return nullptr;
}

Result<uint64_t> parse_bytes(std::string_view text) {
  constexpr std::string_view kWhat = "a size such as 64MiB";
  const std::optional<Decimal> decimal = read_decimal(text);
  if (!decimal) return expected(kWhat, text);
  int64_t factor = 0;
  if (decimal->rest.empty()) factor = 1;
  for (const Unit& unit : kByteUnits) {
    if (same_word(decimal->rest, unit.name)) factor = unit.factor;
  }
  if (factor == 0) {
    return expected("a size in B, KiB, MiB, GiB, TiB, KB, MB, GB or TB, such as 64MiB", text);
  }
  const std::optional<Wide> bytes = scaled(*decimal, factor);
  if (!bytes) return expected("a whole number of bytes", text);
  if (*bytes > static_cast<Wide>(std::numeric_limits<uint64_t>::max())) {
    return expected("at most 2^64-1 bytes", text);
  }
  return static_cast<uint64_t>(*bytes);
}

Result<int64_t> parse_duration_ns(std::string_view text) {
  constexpr std::string_view kWhat = "a time with its unit (ns, us, ms, s, m, h, d), such as 100ms";
  const std::optional<Decimal> decimal = read_decimal(text);
  if (!decimal) return expected(kWhat, text);
  int64_t factor = 0;
  if (decimal->rest.empty() && decimal->digits == 0) factor = 1;
  for (const Unit& unit : kDurationUnits) {
    if (decimal->rest == unit.name) factor = unit.factor;
  }
  if (factor == 0) return expected(kWhat, text);
  const std::optional<Wide> nanoseconds = scaled(*decimal, factor);
  if (!nanoseconds) return expected("a whole number of nanoseconds", text);
  if (*nanoseconds > static_cast<Wide>(std::numeric_limits<int64_t>::max())) {
    return expected("at most 106751d", text);
  }
  return static_cast<int64_t>(*nanoseconds);
}

Result<bool> parse_bool(std::string_view text) {
  for (const std::string_view word : {"true", "yes", "on", "1"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"false", "no", "off", "0"}) {
    if (text == word) return false;
  }
  return expected("true or false", text);
}

Result<int64_t> parse_i64(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return expected("a 64-bit number", text);
  if (error != std::errc() || end != text.data() + text.size()) {
    return expected("a whole number", text);
  }
  return value;
}

Result<uint64_t> parse_u64(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return expected("a 64-bit number", text);
  if (error != std::errc() || end != text.data() + text.size()) {
    return expected("a whole number, not negative", text);
  }
  return value;
}

Result<double> parse_f64(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return expected("a number such as 0.5", text);
  }
  return value;
}

std::string format_bytes(uint64_t bytes) {
  for (const Unit& unit : kByteUnits) {
    const auto factor = static_cast<uint64_t>(unit.factor);
    if (bytes != 0 && factor % 1024 == 0 && bytes % factor == 0) {
      return fmt::format("{}{}", bytes / factor, unit.name);
    }
  }
  return fmt::format("{}B", bytes);
}

std::string format_duration(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  for (const Unit& unit : kDurationUnits) {
    if (nanoseconds % unit.factor == 0)
      return fmt::format("{}{}", nanoseconds / unit.factor, unit.name);
  }
  return fmt::format("{}ns", nanoseconds);
}

std::string_view nearest(std::string_view name, std::span<const std::string> candidates) {
  return nearest_of(name, candidates);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates) {
  return nearest_of(name, candidates);
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::string_view near = nearest(name, candidates);
  return near.empty() ? std::string() : fmt::format(": did you mean '{}'?", near);
}

std::string_view option_type_name(uint32_t type) {
  switch (type) {
    case CHRONIK_OPTION_BOOL: return "bool";
    case CHRONIK_OPTION_I64: return "int";
    case CHRONIK_OPTION_U64: return "uint";
    case CHRONIK_OPTION_F64: return "float";
    case CHRONIK_OPTION_STRING: return "string";
    case CHRONIK_OPTION_BYTES: return "bytes";
    case CHRONIK_OPTION_DURATION: return "duration";
    case CHRONIK_OPTION_PATH: return "path";
    case CHRONIK_OPTION_ENDPOINT: return "endpoint";
    case CHRONIK_OPTION_ENUM: return "enum";
  }
  return "unknown";
}

// On the heap: the config points into it, so it must not move with the ConfigValues.
struct ConfigValues::Storage {
  std::string instance_name;
  std::string directory;
  std::deque<std::string> texts;
  std::vector<chronik_value> values;
  chronik_config config{};
};

ConfigValues::ConfigValues(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}
ConfigValues::ConfigValues(ConfigValues&&) noexcept = default;
ConfigValues& ConfigValues::operator=(ConfigValues&&) noexcept = default;
ConfigValues::~ConfigValues() = default;

const chronik_config* ConfigValues::config() const {
  return &storage_->config;
}

const chronik_value& ConfigValues::operator[](size_t option) const {
  return storage_->values.at(option);
}

std::string_view ConfigValues::text(size_t option) const {
  return sdk::view(storage_->values.at(option).text);
}

Status parse_option(const chronik_option& option, std::string_view text, chronik_value& value) {
  Status status;
  if (text.find('\0') != std::string_view::npos) {
    status = Status(Code::kInvalidArgument, "expected text without a NUL byte");
  }
  if (status.ok()) status = parse_unbounded(option, text, value);
  if (status.ok()) status = check_bounds(option, text, value);
  if (!status.ok() && (option.flags & CHRONIK_OPTION_SECRET) != 0) {
    return Status(status.code(), "doesn't fit its declaration (the value is a secret)");
  }
  return status;
}

Result<ConfigValues> parse_options(OptionTable options,
                                   const std::map<std::string, std::string>& given,
                                   std::string_view instance_name, std::string_view directory,
                                   std::string* bad_key) {
  const auto at_fault = [&](std::string_view key, const Status& status) {
    if (bad_key != nullptr) *bad_key = key;
    return status.annotate(key);
  };
  std::vector<std::string> known;
  for (const chronik_option& option : options) known.emplace_back(option.name);
  for (const auto& [key, text] : given) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return at_fault(key,
                      Status(Code::kInvalidArgument, "no such option" + did_you_mean(key, known)));
    }
  }

  auto storage = std::make_unique<ConfigValues::Storage>();
  storage->instance_name = instance_name;
  storage->directory = directory;
  for (const chronik_option& option : options) {
    chronik_value value{};
    value.struct_size = sizeof value;
    const auto found = given.find(option.name);
    value.is_set = found != given.end() ? 1 : 0;
    if (value.is_set == 0 && (option.flags & CHRONIK_OPTION_REQUIRED) != 0) {
      return at_fault(option.name, Status(Code::kInvalidArgument,
                                          fmt::format("is required: {}",
                                                      option.doc != nullptr ? option.doc : "")));
    }
    const bool has_text = value.is_set != 0 || option.default_value != nullptr;
    std::string& text = storage->texts.emplace_back();
    if (value.is_set != 0) {
      text = found->second;
    } else if (option.default_value != nullptr) {
      text = option.default_value;
    }
    if (has_text) {
      if (Status status = parse_option(option, text, value); !status.ok()) {
        return at_fault(option.name, status);
      }
    }
    value.text = sdk::slice(text);
    storage->values.push_back(value);
  }
  storage->config.struct_size = sizeof storage->config;
  storage->config.value_count = static_cast<uint32_t>(storage->values.size());
  storage->config.value_stride = sizeof(chronik_value);
  storage->config.values = storage->values.data();
  storage->config.instance_name = storage->instance_name.c_str();
  storage->config.directory = directory.empty() ? nullptr : storage->directory.c_str();
  return ConfigValues(std::move(storage));
}

Status check_option_table(OptionTable options) {
  const auto bad = [](std::string message) {
    return Status(Code::kInvalidArgument, std::move(message));
  };
  std::set<std::string_view> names;
  for (uint32_t i = 0; i < options.size(); ++i) {
    const chronik_option& option = options[i];
    if (option.struct_size < sizeof(chronik_option)) {
      return bad(fmt::format("expected option {} to be at least {} bytes, found {}", i,
                             sizeof(chronik_option), option.struct_size));
    }
    if (!is_option_name(option.name)) {
      return bad(fmt::format("expected option {} to be named [a-z][a-z0-9_]*, found '{}'", i,
                             option.name != nullptr ? option.name : "(null)"));
    }
    const std::string where = fmt::format("option '{}'", option.name);
    if (!names.insert(option.name).second) return bad(where + " is declared twice");
    if (option_type_name(option.type) == "unknown") {
      return bad(fmt::format("{} has unknown type {}", where, option.type));
    }
    if (option.doc == nullptr) return bad(where + " has no doc");
    if (option.type == CHRONIK_OPTION_ENUM && words_of(option.enum_values).empty()) {
      return bad(where + " is an enum without enum_values");
    }
    if (!is_numeric(option.type) && (option.min_value != nullptr || option.max_value != nullptr)) {
      return bad(fmt::format("{} has bounds, which a {} can't have", where,
                             option_type_name(option.type)));
    }
    chronik_value low{};
    chronik_value high{};
    if (option.min_value != nullptr) {
      CHRONIK_TRY(parse_unbounded(option, option.min_value, low).annotate(where + ": min_value"));
    }
    if (option.max_value != nullptr) {
      CHRONIK_TRY(parse_unbounded(option, option.max_value, high).annotate(where + ": max_value"));
    }
    if (option.min_value != nullptr && option.max_value != nullptr &&
        less(option.type, high, low)) {
      return bad(fmt::format("{}: expected min_value <= max_value, found {} > {}", where,
                             option.min_value, option.max_value));
    }
    if (option.default_value != nullptr) {
      chronik_value value{};
      CHRONIK_TRY(parse_option(option, option.default_value, value).annotate(where + ": default"));
    }
  }
  return {};
}

}  // namespace chronik
