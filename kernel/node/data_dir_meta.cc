#include "node/data_dir_meta.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "base/check.h"

namespace chronik {
namespace {

constexpr int kFormat = 1;

std::optional<Uuid> parse_uuid(std::string_view text) {
  Uuid uuid{};
  size_t digits = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const char* const kDigits = "0123456789abcdef";
    const char* digit = c != '\0' ? std::strchr(kDigits, c) : nullptr;
    if (digit == nullptr || digits == 2 * uuid.size()) return std::nullopt;
    auto& byte = uuid[digits++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | (digit - kDigits));
  }
  if (digits != 2 * uuid.size() || to_string(uuid) != text) return std::nullopt;
  return uuid;
}

}  // namespace

std::string to_string(const Uuid& uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid[i]);
  }
  return text;
}

Uuid random_uuid() {
  Uuid uuid;
  CHRONIK_CHECK(getrandom(uuid.data(), uuid.size(), 0) == static_cast<ssize_t>(uuid.size()),
                "no randomness");
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

std::string serialize(const NodeMeta& meta) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["cluster_id"] = to_string(meta.cluster_id);
  json["cluster_name"] = meta.cluster_name;
  json["node_id"] = meta.node.value;
  json["directory_id"] = to_string(meta.directory_id);
  json["default_store"] = meta.default_store;
  json["stores"] = nlohmann::ordered_json::object();
  for (const auto& [name, store] : meta.stores) {
    json["stores"][name] = {{"plugin", store.plugin},
                            {"volatile", store.is_volatile},
                            {"in_use", store.in_use},
                            {"id", to_string(store.id)}};
  }
  return json.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<NodeMeta> parse_meta(const std::string& path, const std::string& text) {
  const auto damaged = [&](std::string_view why) {
    return Status(Code::kDataLoss,
                  fmt::format("'{}' is damaged ({}): bring it back from a backup, or use another "
                              "data_dir to start anew",
                              path, why));
  };
  const auto uuid_of = [](const nlohmann::json& json) {
    const auto uuid = parse_uuid(json.get_ref<const std::string&>());
    if (!uuid) throw std::invalid_argument("an id isn't a UUID");
    return *uuid;
  };
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    const int format = json.at("format").get<int>();
    if (format != kFormat) {
      return Status(Code::kFailedPrecondition,
                    fmt::format("'{}' has format {}, but this version of Chronik knows format {}: "
                                "run the version that wrote it",
                                path, format, kFormat));
    }
    NodeMeta meta;
    meta.cluster_id = uuid_of(json.at("cluster_id"));
    meta.cluster_name = json.at("cluster_name").get<std::string>();
    meta.node = NodeId(json.at("node_id").get<uint64_t>());
    meta.directory_id = uuid_of(json.at("directory_id"));
    meta.default_store = json.at("default_store").get<std::string>();
    for (const auto& [name, store] : json.at("stores").items()) {
      meta.stores[name] = {store.at("plugin").get<std::string>(), store.at("volatile").get<bool>(),
                           store.at("in_use").get<bool>(), uuid_of(store.at("id"))};
    }
    if (!meta.stores.contains(meta.default_store)) return damaged("the default store is unknown");
    return meta;
  } catch (const nlohmann::json::parse_error&) {
    return damaged("not JSON");
  } catch (const std::exception& e) {
    return damaged(e.what());
  }
}

}  // namespace chronik
