// Where config values are written: the file's lines, the command line's flags, the environment.
// Turns each into Assignments without judging keys or values; that is config.cc's part.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/config.h"

namespace chronik {

// `section.key = text`, as written somewhere.
struct Assignment {
  std::string section;  // "raft", "log_storage.main"
  std::string key;      // "election_timeout", "segment_wal.journal_bytes"
  std::string text;
  Origin origin;

  std::string full_key() const { return section + "." + key; }
};

// A mistake, placed so that a list of them can be sorted as their reader goes through the file.
struct ConfigError {
  Origin origin;
  std::string line;  // the whole message
};

struct SectionHeader {
  std::string name;
  Origin origin;
};

struct ConfigFile {
  std::vector<SectionHeader> headers;
  std::vector<Assignment> assignments;
};

// Kinds of plugins whose instances have sections of their own: "log_storage" in [log_storage.main].
bool is_instance_kind(std::string_view kind);

// "raft.pre_vote" -> ("raft", "pre_vote"); "log_storage.main.wal.x" -> ("log_storage.main",
// "wal.x").
std::pair<std::string, std::string> split_key(std::string_view full_key);

// Reads and parses an INI file. Mistakes of form are appended to `errors`, with their lines.
ConfigFile read_config_file(const std::string& path, std::vector<ConfigError>& errors);

// Reads flags of the form --section.key=value or --section.key value.
std::vector<Assignment> read_flags(const std::vector<std::string>& arguments,
                                   std::vector<ConfigError>& errors);

// Says `message` about `key` at `origin`: "file.conf:4: raft.pre_vote: message".
ConfigError config_error(const Origin& origin, std::string_view key, std::string_view message);

// The errors as one status: one line per mistake, in the order of the file. Pre: not empty.
Status to_status(std::vector<ConfigError> errors);

}  // namespace chronik
