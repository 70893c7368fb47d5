// Units, bounds, and messages that tell what was expected.
#include "plugin/options.h"

#include <catch2/catch.hpp>

#include "chronik/sdk/component.hpp"

namespace chronik {
namespace {

using sdk::option;

constexpr chronik_option kOptions[] = {
    option({.name = "journal_bytes",
            .type = CHRONIK_OPTION_BYTES,
            .default_value = "64MiB",
            .doc = "Size of a journal file.",
            .min_value = "1MiB",
            .max_value = "1GiB"}),
    option({.name = "flush_after",
            .type = CHRONIK_OPTION_DURATION,
            .default_value = "5ms",
            .doc = "Longest wait.",
            .min_value = "1ms"}),
    option({.name = "mode",
            .type = CHRONIK_OPTION_ENUM,
            .default_value = "direct",
            .doc = "How to write.",
            .enum_values = "direct|buffered"}),
    option({.name = "listen",
            .type = CHRONIK_OPTION_ENDPOINT,
            .default_value = nullptr,
            .doc = "Where to listen.",
            .flags = CHRONIK_OPTION_REQUIRED}),
    option({.name = "token",
            .type = CHRONIK_OPTION_U64,
            .default_value = nullptr,
            .doc = "A secret.",
            .flags = CHRONIK_OPTION_SECRET}),
    option({.name = "sync", .type = CHRONIK_OPTION_BOOL, .default_value = "true", .doc = "Sync."}),
    option({.name = "offset",
            .type = CHRONIK_OPTION_I64,
            .default_value = "-3",
            .doc = "A number.",
            .min_value = "-10"}),
    option({.name = "ratio",
            .type = CHRONIK_OPTION_F64,
            .default_value = "0.5",
            .doc = "A number.",
            .max_value = "1"}),
};

OptionTable table() {
  return {kOptions, std::size(kOptions), sizeof(chronik_option)};
}

std::string failure(std::map<std::string, std::string> given, std::string* bad_key = nullptr) {
  const auto parsed = parse_options(table(), given, "main", "/data", bad_key);
  return parsed.ok() ? "ok" : std::string(parsed.status().message());
}

}  // namespace

TEST_CASE("sizes have units of 1000 and of 1024") {
  const auto bytes = [](std::string_view text) { return parse_bytes(text).value(); };
  CHECK(bytes("0") == 0);
  CHECK(bytes("17") == 17);
  CHECK(bytes("17B") == 17);
  CHECK(bytes("1KB") == 1000);
  CHECK(bytes("1KiB") == 1024);
  CHECK(bytes("64MiB") == 64u << 20);
  CHECK(bytes("64 mib") == 64u << 20);
  CHECK(bytes("1.5GiB") == 1610612736);
  CHECK(bytes("2TB") == 2000000000000);
  CHECK(bytes("1TiB") == uint64_t{1} << 40);
  CHECK(bytes("18446744073709551615") == UINT64_MAX);
  for (const char* bad : {"", "MiB", "-1", "1XB", "1.5", "0.3KiB", "1.", ".5MiB", "1e3",
                          "18446744073709551616", "99999999TiB", "1 0", "0x10"}) {
    INFO(bad);
    CHECK_FALSE(parse_bytes(bad).ok());
  }
  CHECK(parse_bytes("12parsecs").status().message() ==
        "expected a size in B, KiB, MiB, GiB, TiB, KB, MB, GB or TB, such as 64MiB, found "
        "'12parsecs'");
}

TEST_CASE("times carry a unit") {
  const auto ns = [](std::string_view text) { return parse_duration_ns(text).value(); };
  CHECK(ns("0") == 0);
  CHECK(ns("7ns") == 7);
  CHECK(ns("7us") == 7'000);
  CHECK(ns("100ms") == 100'000'000);
  CHECK(ns("1.5s") == 1'500'000'000);
  CHECK(ns("2m") == 120'000'000'000);
  CHECK(ns("2min") == 120'000'000'000);
  CHECK(ns("1h") == 3'600'000'000'000);
  CHECK(ns("1d") == 86'400'000'000'000);
  for (const char* bad : {"", "5", "ms", "-5ms", "1.5ns", "1000000d", "5 parsecs", "5MS"}) {
    INFO(bad);
    CHECK_FALSE(parse_duration_ns(bad).ok());
  }
}

TEST_CASE("sizes and times print in the largest exact unit and read back") {
  CHECK(format_bytes(64u << 20) == "64MiB");
  CHECK(format_bytes(1000) == "1000B");
  CHECK(format_bytes(0) == "0B");
  CHECK(format_duration(100'000'000) == "100ms");
  CHECK(format_duration(0) == "0s");
  for (const int64_t value : {int64_t{1}, int64_t{1500}, int64_t{60'000'000'000}, INT64_MAX}) {
    CHECK(parse_duration_ns(format_duration(value)).value() == value);
    CHECK(parse_bytes(format_bytes(static_cast<uint64_t>(value))).value() ==
          static_cast<uint64_t>(value));
  }
}

TEST_CASE("the nearest name is offered when it is near") {
  const std::vector<std::string> names = {"segment_wal", "memory", "lmdb"};
  CHECK(nearest("segmnt_wal", names) == "segment_wal");
  CHECK(nearest("memroy", names) == "memory");
  CHECK(nearest("segment", names) == "segment_wal");
  CHECK(nearest("rocksdb", names).empty());
  CHECK(nearest("x", names).empty());
  CHECK(did_you_mean("lmbd", names) == ": did you mean 'lmdb'?");
}

TEST_CASE("options arrive typed, in the place of their declaration") {
  auto parsed = parse_options(
      table(), {{"listen", "[::1]:7001"}, {"journal_bytes", "2MiB"}, {"sync", "off"}}, "main", "");
  REQUIRE(parsed.ok());
  const ConfigValues values = std::move(parsed).value();  // the config survives the move
  const sdk::Config config(values.config());
  CHECK(config.bytes(0) == 2u << 20);
  CHECK(config.is_set(0));
  CHECK(config.duration_ns(1) == 5'000'000);
  CHECK_FALSE(config.is_set(1));
  CHECK(config.text(1) == "5ms");
  CHECK(config.text(2) == "direct");
  CHECK(config.text(3) == "[::1]:7001");
  CHECK(config.text(3).data()[config.text(3).size()] == '\0');
  CHECK(config.u64(4) == 0);
  CHECK(config.text(4).empty());
  CHECK_FALSE(config.boolean(5));
  CHECK(config.i64(6) == -3);
  CHECK(config.f64(7) == 0.5);
  CHECK(config.instance_name() == "main");
  CHECK(values.config()->directory == nullptr);
}

TEST_CASE("a wrong option is named with what was expected") {
  const std::string listen = "127.0.0.1:1";
  std::string key;
  CHECK(failure({{"listen", listen}, {"jurnal_bytes", "1MiB"}}, &key) ==
        "jurnal_bytes: no such option: did you mean 'journal_bytes'?");
  CHECK(key == "jurnal_bytes");
  CHECK(failure({{"listen", listen}, {"journal_bytes", "3"}}, &key) ==
        "journal_bytes: expected at least 1MiB, found '3'");
  CHECK(key == "journal_bytes");
  CHECK(failure({{"listen", listen}, {"journal_bytes", "2GiB"}}) ==
        "journal_bytes: expected at most 1GiB, found '2GiB'");
  CHECK(failure({{"listen", listen}, {"flush_after", "5"}}) ==
        "flush_after: expected a time with its unit (ns, us, ms, s, m, h, d), such as 100ms, "
        "found '5'");
  CHECK(failure({{"listen", listen}, {"mode", "drect"}}) ==
        "mode: expected one of direct, buffered, found 'drect': did you mean 'direct'?");
  CHECK(failure({{"listen", listen}, {"sync", "maybe"}}) ==
        "sync: expected true or false, found 'maybe'");
  CHECK(failure({{"listen", listen}, {"offset", "-11"}}) ==
        "offset: expected at least -10, found '-11'");
  CHECK(failure({{"listen", listen}, {"ratio", "1.5"}}) ==
        "ratio: expected at most 1, found '1.5'");
  CHECK(failure({}) == "listen: is required: Where to listen.");
  CHECK(failure({{"listen", "localhost"}}) ==
        "listen: expected host:port such as 127.0.0.1:7001 or [::1]:7001, found 'localhost'");
  CHECK(failure({{"listen", "a:70000"}}) ==
        "listen: expected a port from 0 to 65535 in host:port, found 'a:70000'");
}

TEST_CASE("a secret is not repeated in a message") {
  CHECK(failure({{"listen", "a:1"}, {"token", "hunter2"}}) ==
        "token: doesn't fit its declaration (the value is a secret)");
}

TEST_CASE("an option table is checked itself") {
  const auto check = [](const chronik_option& o) {
    return std::string(check_option_table({&o, 1, sizeof o}).message());
  };
  CHECK(check_option_table(table()).ok());
  CHECK(check(option(
            {.name = "A", .type = CHRONIK_OPTION_BOOL, .default_value = "true", .doc = ""})) ==
        "expected option 0 to be named [a-z][a-z0-9_]*, found 'A'");
  CHECK(check(option({.name = "a",
                      .type = CHRONIK_OPTION_BYTES,
                      .default_value = "1KiB",
                      .doc = "",
                      .min_value = "1MiB"})) ==
        "option 'a': default: expected at least 1MiB, found '1KiB'");
  CHECK(check(option({.name = "a", .type = 77, .default_value = nullptr, .doc = ""})) ==
        "option 'a' has unknown type 77");
  const chronik_option twice[] = {kOptions[0], kOptions[0]};
  CHECK(check_option_table({twice, 2, sizeof twice[0]}).message() ==
        "option 'journal_bytes' is declared twice");
}

}  // namespace chronik
