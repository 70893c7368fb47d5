#include "plugin/inspect.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <system_error>

#include "chronik/abi/log_storage.h"
#include "chronik/abi/state_machine.h"
#include "plugin/loader.h"
#include "plugin/options.h"

namespace chronik {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// A plugin that hangs in its static constructors is given up after this long.
constexpr unsigned kOpenSeconds = 20;

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json text_or_null(const char* text) {
  return text != nullptr ? Json(text) : Json(nullptr);
}

Json capability_names(const chronik_component& component);

Json option_json(const chronik_option& option) {
  Json json;
  json["name"] = option.name;
  json["type"] = option_type_name(option.type);
  json["default"] = text_or_null(option.default_value);
  json["min"] = text_or_null(option.min_value);
  json["max"] = text_or_null(option.max_value);
  json["values"] = text_or_null(option.enum_values);
  json["required"] = (option.flags & CHRONIK_OPTION_REQUIRED) != 0;
  json["secret"] = (option.flags & CHRONIK_OPTION_SECRET) != 0;
  json["doc"] = option.doc;
  return json;
}

Json plugin_json(const chronik_plugin& plugin, const std::string& path) {
  Json json;
  json["file"] = path;
  json["id"] = plugin.id;
  json["version"] = plugin.version;
  json["vendor"] = plugin.vendor;
  json["license"] = plugin.license;
  json["doc"] = plugin.doc;
  json["abi"] = fmt::format("{}.{}", plugin.abi_major, plugin.abi_minor);
  json["min_host_abi"] = fmt::format("{}.{}", plugin.abi_major, plugin.min_host_minor);
  json["build"] = plugin.build;
  json["components"] = Json::array();
  for (const chronik_component& component : components_of(plugin)) {
    Json part;
    part["kind"] = kind_name(component.kind);
    part["name"] = component.name;
    part["interface"] = fmt::format("{}.{}", component.interface_major, component.interface_minor);
    part["capabilities"] = capability_names(component);
    part["doc"] = component.doc;
    part["options"] = Json::array();
    for (const chronik_option& option : options_of(component)) {
      part["options"].push_back(option_json(option));
    }
    json["components"].push_back(std::move(part));
  }
  return json;
}

std::string word(const Json& json, const char* key) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string();
}

// "at least 1MiB", "1MiB to 1GiB", "a, b or c".
std::string range_of(const Json& option) {
  const std::string low = word(option, "min");
  const std::string high = word(option, "max");
  std::string values = word(option, "values");
  if (!values.empty()) {
    std::string list;
    for (const char c : values) list += c == '|' ? std::string(", ") : std::string(1, c);
    return list;
  }
  if (!low.empty() && !high.empty()) return low + " to " + high;
  if (!low.empty()) return "at least " + low;
  if (!high.empty()) return "at most " + high;
  return "";
}

std::string human(const Json& plugin) {
  std::string text = word(plugin, "file") + "\n";
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("  {:<9} {}\n", name, value);
  };
  line("id", word(plugin, "id"));
  line("version", word(plugin, "version"));
  line("vendor", word(plugin, "vendor"));
  line("license", word(plugin, "license"));
  line("ABI", fmt::format("{} (needs a host of {} or newer)", word(plugin, "abi"),
                          word(plugin, "min_host_abi")));
  line("build", word(plugin, "build"));
  line("about", word(plugin, "doc"));
  for (const Json& component : plugin["components"]) {
    text += fmt::format("\n{} {}\n", word(component, "kind"), word(component, "name"));
    line("about", word(component, "doc"));
    line("interface", word(component, "interface"));
    std::vector<std::string> capabilities;
    for (const Json& name : component["capabilities"]) capabilities.push_back(name);
    line("can", capabilities.empty() ? "nothing special"
                                     : fmt::format("{}", fmt::join(capabilities, ", ")));
    if (component["options"].empty()) {
      line("options", "none");
      continue;
    }
    size_t name_width = 4;
    size_t default_width = 7;
    size_t range_width = 5;
    for (const Json& option : component["options"]) {
      name_width = std::max(name_width, word(option, "name").size());
      default_width = std::max(default_width, word(option, "default").size());
      range_width = std::max(range_width, range_of(option).size());
    }
    const auto row = [&](std::string_view name, std::string_view type, std::string_view value,
                         std::string_view range, std::string_view doc) {
      text += fmt::format("    {:<{}}  {:<8}  {:<{}}  {:<{}}  {}\n", name, name_width, type, value,
                          default_width, range, range_width, doc);
    };
    text += "  options\n";
    row("name", "type", "default", "range", "");
    for (const Json& option : component["options"]) {
      std::string value = word(option, "default");
      if (option["required"] == true) value = "required";
      if (value.empty()) value = "-";
      row(word(option, "name"), word(option, "type"), value, range_of(option), word(option, "doc"));
    }
  }
  return text;
}

Json capability_names(const chronik_component& component) {
  struct Capability {
    uint32_t kind;
    uint64_t bit;
    const char* name;
  };
  constexpr Capability kCapabilities[] = {
      {CHRONIK_KIND_LOG_STORAGE, CHRONIK_LOG_STORAGE_CAP_VOLATILE, "volatile"},
      {CHRONIK_KIND_STATE_MACHINE, CHRONIK_STATE_MACHINE_CAP_NONBLOCKING, "nonblocking"},
      {CHRONIK_KIND_STATE_MACHINE, CHRONIK_STATE_MACHINE_CAP_LOG_START, "log_start"}};
  Json names = Json::array();
  uint64_t rest = component.capabilities;
  for (const Capability& capability : kCapabilities) {
    if (capability.kind != component.kind || (rest & capability.bit) == 0) continue;
    names.push_back(capability.name);
    rest &= ~capability.bit;
  }
  for (uint32_t bit = 0; bit < 64; ++bit) {
    if ((rest >> bit & 1) != 0) names.push_back(fmt::format("bit_{}", bit));
  }
  return names;
}

// What came of opening a file: its descriptor, or why not.
struct Opened {
  Json plugin;  // null with an error
  std::string error;
};

void write_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// In the child: opens the library and writes {"plugin": ...} or {"error": ...}.
[[noreturn]] void open_in_child(const std::string& path, int to_parent) {
  // A library's constructors may print; that must not look like our output.
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  // A crash is an answer here: no handler of the tool's, and no core file.
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTERM, SIGALRM}) {
    ::signal(signal, SIG_DFL);
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::alarm(kOpenSeconds);
  std::error_code ignored;
  const std::string directory = fs::path(fs::weakly_canonical(path, ignored)).parent_path();
  const Result<LoadedPlugin> loaded = load_plugin(path, {directory});
  Json answer;
  if (loaded.ok()) {
    answer["plugin"] = plugin_json(*loaded.value().plugin, loaded.value().path);
  } else {
    answer["error"] = loaded.status().message();
  }
  write_whole(to_parent, dump(answer, -1));
  ::_exit(0);
}

Opened open_apart(const std::string& path) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {nullptr, std::strerror(errno)};
  std::fflush(nullptr);  // or a child that calls exit() writes our buffers once more
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return {nullptr, std::strerror(errno)};
  }
  if (child == 0) {
    ::close(ends[0]);
    open_in_child(path, ends[1]);
  }
  ::close(ends[1]);
  std::string bytes;
  char piece[4096];
  for (;;) {
    const ssize_t n = ::read(ends[0], piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    bytes.append(piece, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    return {nullptr,
            fmt::format("plugin {}: opening it did not end within {} s; it would hang a node", path,
                        kOpenSeconds)};
  }
  if (WIFSIGNALED(status)) {
    return {nullptr, fmt::format("plugin {}: opening it ended the process with signal {} ({}); it "
                                 "would do the same to a node",
                                 path, WTERMSIG(status), ::strsignal(WTERMSIG(status)))};
  }
  const Json answer = Json::parse(bytes, nullptr, false);
  if (answer.is_object() && answer.contains("plugin")) return {answer["plugin"], ""};
  if (answer.is_object() && answer.contains("error")) return {nullptr, word(answer, "error")};
  return {nullptr, fmt::format("plugin {}: opening it ended the process with exit status {}; it "
                               "would do the same to a node",
                               path, WEXITSTATUS(status))};
}

int inspect(const std::string& file, bool json, std::ostream& out, std::ostream& err) {
  const Opened opened = open_apart(file);
  if (opened.plugin.is_null()) {
    err << opened.error << "\n";
    return 1;
  }
  out << (json ? dump(opened.plugin, 2) + "\n" : human(opened.plugin));
  return 0;
}

int list_directories(const std::vector<std::string>& directories, bool json, std::ostream& out,
                     std::ostream& err) {
  std::vector<std::string> files;
  for (const std::string& directory : directories) {
    std::error_code error;
    const size_t before = files.size();
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      if (at->path().extension() == ".so") files.push_back(at->path().string());
    }
    if (error) {
      err << "plugin directory " << directory << ": " << error.message() << "\n";
      return 1;
    }
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  Json all = Json::object();
  all["plugins"] = Json::array();
  all["refused"] = Json::array();
  for (const std::string& file : files) {
    const Opened opened = open_apart(file);
    if (opened.plugin.is_null()) {
      all["refused"].push_back({{"file", file}, {"reason", opened.error}});
    } else {
      all["plugins"].push_back(opened.plugin);
    }
  }
  if (json) {
    out << dump(all, 2) << "\n";
    return all["refused"].empty() ? 0 : 1;
  }
  const auto row = [&](std::string_view kind, std::string_view name, std::string_view version,
                       std::string_view file) {
    out << fmt::format("{:<14} {:<16} {:<10} {}\n", kind, name, version, file);
  };
  if (!all["plugins"].empty()) row("KIND", "NAME", "VERSION", "FILE");
  for (const Json& plugin : all["plugins"]) {
    for (const Json& component : plugin["components"]) {
      row(word(component, "kind"), word(component, "name"), word(plugin, "version"),
          word(plugin, "file"));
    }
  }
  if (files.empty()) out << fmt::format("no plugins in {}\n", fmt::join(directories, ", "));
  for (const Json& refusal : all["refused"]) err << "refused: " << word(refusal, "reason") << "\n";
  return all["refused"].empty() ? 0 : 1;
}

constexpr std::string_view kUsage =
    "usage: chronik plugin list [--dir DIR]... [--json]\n"
    "       chronik plugin inspect FILE [--json]\n";

}  // namespace

std::string describe_plugin(const chronik_plugin& plugin, const std::string& path, bool json) {
  const Json described = plugin_json(plugin, path);
  return json ? dump(described, 2) + "\n" : human(described);
}

int plugin_command(const std::vector<std::string>& args,
                   const std::vector<std::string>& default_directories, std::ostream& out,
                   std::ostream& err) {
  bool json = false;
  std::vector<std::string> directories;
  std::vector<std::string> words;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--json") {
      json = true;
    } else if (args[i] == "--dir" && i + 1 < args.size()) {
      directories.push_back(args[++i]);
    } else if (args[i].starts_with("--dir=")) {
      directories.push_back(args[i].substr(6));
    } else if (args[i].starts_with("-")) {
      err << fmt::format("unknown option '{}'\n{}", args[i], kUsage);
      return 2;
    } else {
      words.push_back(args[i]);
    }
  }
  if (words.size() == 1 && words[0] == "list") {
    return list_directories(directories.empty() ? default_directories : directories, json, out,
                            err);
  }
  if (words.size() == 2 && words[0] == "inspect" && directories.empty()) {
    return inspect(words[1], json, out, err);
  }
  err << kUsage;
  return 2;
}

}  // namespace chronik
