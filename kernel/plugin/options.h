// Turns option texts, as written in a config file, into the validated values a component receives.
//
// Also home of the unit parsers and of the nearest-name helper, which the node uses for keys of its
// own, so that `64MiB`, `100ms` and "did you mean" behave the same everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "chronik/abi/base.h"
#include "chronik/sdk/base.hpp"

namespace chronik {

using OptionTable = sdk::Array<chronik_option>;

inline OptionTable options_of(const chronik_component& component) {
  return {component.options, component.option_count, component.option_stride};
}
// Null if the component declares no such option.
const chronik_option* find_option(OptionTable options, std::string_view name);

// "64MiB", "10 KB", "0", "1.5GiB"; B, KB/MB/GB/TB (powers of 1000), KiB/MiB/GiB/TiB (of 1024); a
// bare number is bytes. INVALID_ARGUMENT says what was expected and what was found.
Result<uint64_t> parse_bytes(std::string_view text);
// "100ms", "1s", "1.5h", "250us", "10ns", "5m", "1d", "0"; a number other than 0 needs its unit.
Result<int64_t> parse_duration_ns(std::string_view text);
Result<bool> parse_bool(std::string_view text);  // true|false|yes|no|on|off|1|0
Result<int64_t> parse_i64(std::string_view text);
Result<uint64_t> parse_u64(std::string_view text);
Result<double> parse_f64(std::string_view text);
// The reverse, in the largest unit that is exact: "64MiB", "100ms".
std::string format_bytes(uint64_t bytes);
std::string format_duration(int64_t nanoseconds);

// The candidate with the smallest edit distance to `name`, if it is near enough to be meant; else
// empty. Ties go to the first.
std::string_view nearest(std::string_view name, std::span<const std::string> candidates);
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);
// ": did you mean 'x'?", or empty: to be put behind a message about an unknown name.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

// "bool", "bytes", "duration", ... : the type's name for people.
std::string_view option_type_name(uint32_t type);

// The values of one instance and the chronik_config over them. Movable; what config() points to
// stays where it is and lives as long as this object, which is at least until create() returned.
class ConfigValues {
 public:
  ConfigValues(ConfigValues&&) noexcept;
  ConfigValues& operator=(ConfigValues&&) noexcept;
  ~ConfigValues();

  const chronik_config* config() const;
  const chronik_value& operator[](size_t option) const;
  // The text that value `option` came from: as given, or the default.
  std::string_view text(size_t option) const;

 private:
  friend Result<ConfigValues> parse_options(OptionTable, const std::map<std::string, std::string>&,
                                            std::string_view, std::string_view, std::string*);
  struct Storage;
  explicit ConfigValues(std::unique_ptr<Storage> storage);
  std::unique_ptr<Storage> storage_;
};

// Parses and checks `given` (key -> text) against a component's table: unknown keys (with the
// nearest name), types, bounds, enum words, required options. Absent keys take their default.
// `directory` may be empty (a kind that keeps no files; delivered as NULL).
// Errors: INVALID_ARGUMENT, "journal_bytes: expected at least 1MiB, found '3'"; the key at fault is
// also left in `*bad_key`, so that the caller can say which file and line named it.
Result<ConfigValues> parse_options(OptionTable options,
                                   const std::map<std::string, std::string>& given,
                                   std::string_view instance_name, std::string_view directory,
                                   std::string* bad_key = nullptr);

// Checks one text against one declaration, bounds included. The message doesn't name the option.
Status parse_option(const chronik_option& option, std::string_view text, chronik_value& value);

// Checks a table itself: names, types, that bounds parse and defaults lie within them.
Status check_option_table(OptionTable options);

}  // namespace chronik
