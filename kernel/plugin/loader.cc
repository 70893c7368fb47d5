#include "plugin/loader.h"

// The only translation unit that sees Boost.DLL, so the choice of file system library can't differ.
#define BOOST_DLL_USE_STD_FS
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/dll/library_info.hpp>
#include <boost/dll/shared_library.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "chronik/abi/frontend.h"
#include "chronik/abi/log_storage.h"
#include "chronik/abi/state_machine.h"
#include "plugin/options.h"

namespace chronik {
namespace {

// glibc's RTLD_NODELETE. Boost.DLL doesn't name it, but hands the mode to dlopen() as it is.
constexpr auto kNoDelete = static_cast<boost::dll::load_mode::type>(0x01000);
constexpr uint32_t kMaxStructSize = 64 * 1024;
constexpr uint32_t kMaxComponents = 256;
constexpr uint32_t kMaxOptions = 1024;

Status refuse(Code code, std::string_view expected, std::string_view found, std::string_view todo) {
  return Status(code, fmt::format("expected {}, found {}; {}", expected, found, todo));
}

std::string os_error() {
  return std::strerror(errno);
}

std::optional<std::string> real_path(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return std::nullopt;
  std::string text(resolved);
  std::free(resolved);
  return text;
}

// ---- Checks 1 and 2: where the file lies and who can change it
// ------------------------------------

Status check_allowed(const std::string& real, const std::vector<std::string>& allowed) {
  const std::string parent = std::filesystem::path(real).parent_path();
  std::vector<std::string> directories;
  for (const std::string& directory : allowed) {
    if (const auto resolved = real_path(directory)) {
      if (*resolved == parent) return {};
      directories.push_back(*resolved);
    }
  }
  return refuse(
      Code::kPermissionDenied,
      directories.empty() ? "a file in an allow-listed plugin directory (there is none)"
                          : fmt::format("a file directly in {}", fmt::join(directories, " or ")),
      fmt::format("one in {}", parent), "move it there, or add its directory to plugins.dir");
}

Status check_owner_and_mode(const std::string& path, const struct stat& info) {
  if (info.st_uid != 0 && info.st_uid != ::geteuid()) {
    return refuse(Code::kPermissionDenied,
                  fmt::format("{} to belong to root or to user {}", path, ::geteuid()),
                  fmt::format("owner {}", info.st_uid), "chown it");
  }
  const bool others_may_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool sticky_of_root =
      S_ISDIR(info.st_mode) && (info.st_mode & S_ISVTX) != 0 && info.st_uid == 0;
  if (others_may_write && !sticky_of_root) {
    return refuse(Code::kPermissionDenied, fmt::format("{} to be writable by its owner only", path),
                  fmt::format("mode {:04o}", info.st_mode & 07777), "run chmod go-w on it");
  }
  return {};
}

Status check_ownership(const std::string& real) {
  struct stat info {};
  for (std::filesystem::path at = real;; at = at.parent_path()) {
    if (::lstat(at.c_str(), &info) != 0) {
      return Status(Code::kPermissionDenied,
                    fmt::format("can't look at {}: {}", at.string(), os_error()));
    }
    CHRONIK_TRY(check_owner_and_mode(at.string(), info));
    if (at == at.parent_path()) return {};
  }
}

// ---- Check 3: what the file is, read without running any of it
// -----------------------------------

struct ElfFacts {
  std::string sanitizer = "plain";  // of the undefined symbols: asan, tsan or msan
};

Status not_a_library(std::string_view found) {
  return refuse(Code::kInvalidArgument, "an ELF shared library for this machine", found,
                "put only plugin libraries here");
}

Status damaged(std::string_view found) {
  return refuse(Code::kInvalidArgument, "a whole ELF shared library", found,
                "build or copy it again");
}

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "add this machine's e_machine"
#endif

// A file read in pieces; a read that reaches past its end says so.
class ElfFile {
 public:
  explicit ElfFile(const std::string& path) : stream_(path, std::ios::binary) {}
  bool read(uint64_t offset, void* to, uint64_t size) {
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(to), static_cast<std::streamsize>(size));
    return static_cast<uint64_t>(stream_.gcount()) == size;
  }

 private:
  std::ifstream stream_;
};

// Header, segments and sections lie within the file; then notes which sanitizer it asks for. The
// loader would map segments past the end, and the process would die of SIGBUS on first use.
Result<ElfFacts> read_elf(const std::string& path, uint64_t file_size) {
  ElfFile file(path);
  Elf64_Ehdr header{};
  if (file_size == 0) return not_a_library("an empty file");
  std::array<char, SELFMAG> magic{};
  if (!file.read(0, magic.data(), magic.size()) ||
      std::memcmp(magic.data(), ELFMAG, SELFMAG) != 0) {
    return not_a_library("a file that isn't ELF");
  }
  if (!file.read(0, &header, sizeof header)) return damaged("a truncated header");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kMachine) {
    return not_a_library(fmt::format("ELF for machine {}", header.e_machine));
  }
  if (header.e_type != ET_DYN) return not_a_library(fmt::format("ELF of type {}", header.e_type));

  const auto inside = [file_size](uint64_t offset, uint64_t size) {
    return offset <= file_size && size <= file_size - offset;
  };
  if (header.e_phentsize != sizeof(Elf64_Phdr) ||
      (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr))) {
    return damaged("header tables of odd sizes");
  }
  if (!inside(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)) ||
      !inside(header.e_shoff, uint64_t{header.e_shnum} * sizeof(Elf64_Shdr))) {
    return damaged("one that is truncated");
  }
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!file.read(header.e_phoff + i * sizeof segment, &segment, sizeof segment) ||
        (segment.p_type == PT_LOAD && !inside(segment.p_offset, segment.p_filesz))) {
      return damaged("one that is truncated");
    }
  }

  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (!sections.empty() &&
      !file.read(header.e_shoff, sections.data(), sections.size() * sizeof(Elf64_Shdr))) {
    return damaged("one that is truncated");
  }
  ElfFacts facts;
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != SHT_DYNSYM || section.sh_link >= sections.size()) continue;
    const Elf64_Shdr& strings = sections[section.sh_link];
    if (!inside(section.sh_offset, section.sh_size) ||
        !inside(strings.sh_offset, strings.sh_size)) {
      return damaged("one that is truncated");
    }
    std::vector<Elf64_Sym> symbols(section.sh_size / sizeof(Elf64_Sym));
    std::string names(strings.sh_size, '\0');
    if (!file.read(section.sh_offset, symbols.data(), symbols.size() * sizeof(Elf64_Sym)) ||
        !file.read(strings.sh_offset, names.data(), names.size())) {
      return damaged("one that is truncated");
    }
    for (const Elf64_Sym& symbol : symbols) {
      if (symbol.st_shndx != SHN_UNDEF || symbol.st_name >= names.size()) continue;
      const std::string_view name(names.c_str() + symbol.st_name);
      if (name == "__asan_init") facts.sanitizer = "asan";
      if (name == "__tsan_init") facts.sanitizer = "tsan";
      if (name == "__msan_init") facts.sanitizer = "msan";
    }
  }
  return facts;
}

Status check_sanitizer(std::string_view plugin) {
  constexpr std::string_view kHost = CHRONIK_BUILD_SANITIZER;
  if (plugin == "plain" || plugin == kHost) return {};
  return refuse(Code::kFailedPrecondition,
                kHost == "plain" ? "a plugin built without a sanitizer"
                                 : fmt::format("a plugin built plain or with {}", kHost),
                fmt::format("one built with {}", plugin), "build it like this program");
}

Status check_symbol(const std::string& path) {
  std::vector<std::string> symbols;
  try {
    // The name is explicit because the default reads any file that isn't ELF as another format.
    boost::dll::library_info info(path);
    symbols = info.symbols();
  } catch (const std::exception& e) {
    return damaged(fmt::format("one that can't be read ({})", e.what()));
  }
  constexpr std::string_view kPrefix = "chronik_plugin_v";
  std::string other;
  for (const std::string& symbol : symbols) {
    if (symbol == CHRONIK_PLUGIN_SYMBOL) return {};
    if (symbol.starts_with(kPrefix) && symbol.size() > kPrefix.size() &&
        std::all_of(symbol.begin() + kPrefix.size(), symbol.end(),
                    [](unsigned char c) { return std::isdigit(c) != 0; })) {
      other = symbol;
    }
  }
  if (!other.empty()) {
    return refuse(Code::kFailedPrecondition, "the symbol " CHRONIK_PLUGIN_SYMBOL, other,
                  "the plugin is for another ABI: build it with this version's SDK");
  }
  return refuse(Code::kInvalidArgument, "the symbol " CHRONIK_PLUGIN_SYMBOL, "none of that name",
                "export it with CHRONIK_PLUGIN, or remove the file if it is no plugin");
}

// ---- Check 5: the descriptor
// ----------------------------------------------------------------------

struct Mandatory {
  const char* name;
  size_t offset;
};

// Expands to the function's name and place.
#define CHRONIK_FUNCTION_(type, member) \
  Mandatory {                           \
#member, offsetof(type, member)     \
  }

constexpr Mandatory kCommonFunctions[] = {CHRONIK_FUNCTION_(chronik_component_vtable, create),
                                          CHRONIK_FUNCTION_(chronik_component_vtable, start),
                                          CHRONIK_FUNCTION_(chronik_component_vtable, stop),
                                          CHRONIK_FUNCTION_(chronik_component_vtable, destroy)};
constexpr Mandatory kLogStorageFunctions[] = {
    CHRONIK_FUNCTION_(chronik_log_storage_vtable, submit),
    CHRONIK_FUNCTION_(chronik_log_storage_vtable, group),
    CHRONIK_FUNCTION_(chronik_log_storage_vtable, scan_groups),
    CHRONIK_FUNCTION_(chronik_log_storage_vtable, read)};
constexpr Mandatory kStateMachineFunctions[] = {
    CHRONIK_FUNCTION_(chronik_state_machine_vtable, version),
    CHRONIK_FUNCTION_(chronik_state_machine_vtable, apply),
    CHRONIK_FUNCTION_(chronik_state_machine_vtable, query),
    CHRONIK_FUNCTION_(chronik_state_machine_vtable, save),
    CHRONIK_FUNCTION_(chronik_state_machine_vtable, restore)};

// What this host knows of a kind.
struct Kind {
  uint32_t kind;
  const char* name;
  bool is_supported;
  uint16_t major;
  uint32_t vtable_size;
  std::span<const Mandatory> functions;
};

constexpr Kind kKinds[] = {
    {CHRONIK_KIND_TRANSPORT, "transport", false, 0, 0, {}},
    {CHRONIK_KIND_LOG_STORAGE, "log_storage", true, CHRONIK_LOG_STORAGE_MAJOR,
     sizeof(chronik_log_storage_vtable), kLogStorageFunctions},
    {CHRONIK_KIND_SNAPSHOT_STORE, "snapshot_store", false, 0, 0, {}},
    {CHRONIK_KIND_STATE_MACHINE, "state_machine", true, CHRONIK_STATE_MACHINE_MAJOR,
     sizeof(chronik_state_machine_vtable), kStateMachineFunctions},
    {CHRONIK_KIND_FRONTEND,
     "frontend",
     true,
     CHRONIK_FRONTEND_MAJOR,
     sizeof(chronik_frontend_vtable),
     {}},
};

const Kind* find_kind(uint32_t kind) {
  for (const Kind& known : kKinds) {
    if (known.kind == kind) return &known;
  }
  return nullptr;
}

Status check_size(std::string_view what, uint32_t size, size_t at_least) {
  if (size >= at_least && size <= kMaxStructSize) return {};
  return refuse(Code::kInvalidArgument,
                fmt::format("{} of {} to {} bytes", what, at_least, kMaxStructSize),
                fmt::format("{}", size), "build the plugin with this version's SDK");
}

Status check_functions(const void* vtable, std::span<const Mandatory> functions) {
  for (const Mandatory& function : functions) {
    void* pointer = nullptr;
    std::memcpy(&pointer, static_cast<const char*>(vtable) + function.offset, sizeof pointer);
    if (pointer == nullptr) {
      return refuse(Code::kInvalidArgument, fmt::format("the function {}", function.name), "NULL",
                    "it is mandatory for this kind: implement it");
    }
  }
  return {};
}

bool is_name(const char* name) {
  if (name == nullptr || *name < 'a' || *name > 'z') return false;
  return std::all_of(name, name + std::strlen(name), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Status check_component(const chronik_component& component) {
  const Kind* kind = find_kind(component.kind);
  if (kind == nullptr || !kind->is_supported) {
    return refuse(Code::kFailedPrecondition, "a log_storage, state_machine or frontend",
                  kind_name(component.kind), "this version doesn't have that kind of plugin");
  }
  if (component.interface_major != kind->major) {
    return refuse(Code::kFailedPrecondition, fmt::format("interface {}.x", kind->major),
                  fmt::format("{}.{}", component.interface_major, component.interface_minor),
                  "build the plugin with this version's SDK");
  }
  if (component.doc == nullptr) {
    return refuse(Code::kInvalidArgument, "a doc of one sentence", "NULL", "write it");
  }
  if (component.vtable == nullptr) {
    return refuse(Code::kInvalidArgument, "a vtable", "NULL", "set chronik_component.vtable");
  }
  const auto* vtable = static_cast<const chronik_component_vtable*>(component.vtable);
  CHRONIK_TRY(check_size("a vtable", vtable->struct_size, kind->vtable_size));
  CHRONIK_TRY(check_functions(vtable, kCommonFunctions));
  CHRONIK_TRY(check_functions(vtable, kind->functions));
  if (component.kind == CHRONIK_KIND_STATE_MACHINE &&
      (component.capabilities & CHRONIK_STATE_MACHINE_CAP_NONBLOCKING) == 0) {
    return refuse(Code::kFailedPrecondition, "the capability NONBLOCKING",
                  "a state machine without it", "its calls run on a shard's thread: declare it");
  }
  if (component.option_count != 0) {
    if (component.options == nullptr || component.option_count > kMaxOptions) {
      return refuse(Code::kInvalidArgument, fmt::format("a table of up to {} options", kMaxOptions),
                    fmt::format("{} at {}", component.option_count,
                                static_cast<const void*>(component.options)),
                    "set options, option_count and option_stride together");
    }
    CHRONIK_TRY(check_size("an option_stride", component.option_stride, sizeof(chronik_option)));
  }
  return check_option_table(options_of(component));
}

Status check_texts(const chronik_plugin& plugin) {
  const std::pair<const char*, const char*> texts[] = {
      {"id", plugin.id},           {"version", plugin.version}, {"vendor", plugin.vendor},
      {"license", plugin.license}, {"doc", plugin.doc},         {"build", plugin.build}};
  for (const auto& [name, text] : texts) {
    if (text == nullptr || *text == '\0') {
      return refuse(Code::kInvalidArgument, fmt::format("a descriptor with a {}", name),
                    text == nullptr ? "NULL" : "an empty text", "fill it in");
    }
  }
  return {};
}

// A plugin is never unloaded; a list that were destroyed at exit would do just that.
void keep_for_ever(const boost::dll::shared_library* library) {
  static auto& libraries = *new std::vector<const boost::dll::shared_library*>;
  libraries.push_back(library);
}

}  // namespace

Status check_descriptor(const chronik_plugin& plugin) {
  CHRONIK_TRY(check_size("a descriptor", plugin.struct_size, sizeof(chronik_plugin)));
  if (plugin.abi_major != CHRONIK_ABI_MAJOR) {
    return refuse(Code::kFailedPrecondition, fmt::format("ABI {}.x", CHRONIK_ABI_MAJOR),
                  fmt::format("ABI {}.{}", plugin.abi_major, plugin.abi_minor),
                  "build the plugin with this version's SDK");
  }
  if (plugin.min_host_minor > CHRONIK_ABI_MINOR) {
    return refuse(
        Code::kFailedPrecondition,
        fmt::format("a plugin content with host ABI {}.{}", CHRONIK_ABI_MAJOR, CHRONIK_ABI_MINOR),
        fmt::format("one that needs {}.{}", plugin.abi_major, plugin.min_host_minor),
        "use a newer host or an older build of the plugin");
  }
  CHRONIK_TRY(check_texts(plugin));
  const std::string_view build = plugin.build;
  const size_t semicolon = build.rfind(';');
  if (semicolon == std::string_view::npos) {
    return refuse(Code::kInvalidArgument, "a build tag 'compiler;sanitizer'",
                  fmt::format("'{}'", build), "use CHRONIK_BUILD_TAG");
  }
  CHRONIK_TRY(check_sanitizer(build.substr(semicolon + 1)));
  if (plugin.component_count == 0 || plugin.component_count > kMaxComponents ||
      plugin.components == nullptr) {
    return refuse(Code::kInvalidArgument, fmt::format("1 to {} components", kMaxComponents),
                  plugin.components == nullptr ? "NULL" : std::to_string(plugin.component_count),
                  "declare what the plugin offers");
  }
  CHRONIK_TRY(check_size("a component_stride", plugin.component_stride, sizeof(chronik_component)));

  std::set<std::pair<uint32_t, std::string_view>> names;
  for (const chronik_component& component : components_of(plugin)) {
    CHRONIK_TRY(check_size("a component", component.struct_size, sizeof(chronik_component)));
    if (!is_name(component.name)) {
      return refuse(Code::kInvalidArgument, "a component named [a-z][a-z0-9_]*",
                    component.name == nullptr ? "NULL" : fmt::format("'{}'", component.name),
                    "rename it");
    }
    const std::string where =
        fmt::format("component {} '{}'", kind_name(component.kind), component.name);
    CHRONIK_TRY(check_component(component).annotate(where));
    if (!names.emplace(component.kind, component.name).second) {
      return Status(Code::kInvalidArgument,
                    where + ": expected unique names, found it declared twice; rename one");
    }
  }
  return {};
}

Result<LoadedPlugin> load_plugin(const std::string& path,
                                 const std::vector<std::string>& allowed_directories) {
  const std::optional<std::string> real = real_path(path);
  if (!real) {
    return Status(Code::kNotFound,
                  fmt::format("plugin {}: expected an existing file, found: {}", path, os_error()));
  }
  const std::string context = "plugin " + *real;
  const auto refused = [&](const Status& status) { return status.annotate(context); };

  if (Status s = check_allowed(*real, allowed_directories); !s.ok()) return refused(s);
  struct stat info {};
  if (::stat(real->c_str(), &info) != 0) {
    return refused(Status(Code::kPermissionDenied, "can't look at it: " + os_error()));
  }
  if (!S_ISREG(info.st_mode)) {
    return refused(not_a_library(S_ISDIR(info.st_mode) ? "a directory" : "a special file"));
  }
  if (Status s = check_ownership(*real); !s.ok()) return refused(s);
  if (::access(real->c_str(), R_OK) != 0) {
    return refused(refuse(Code::kPermissionDenied, "a readable file", os_error(), "chmod it"));
  }
  Result<ElfFacts> facts = read_elf(*real, static_cast<uint64_t>(info.st_size));
  if (!facts.ok()) return refused(facts.status());
  if (Status s = check_symbol(*real); !s.ok()) return refused(s);
  // Before dlopen(): a sanitizer's runtime ends the process when it isn't the first library.
  if (Status s = check_sanitizer(facts->sanitizer); !s.ok()) return refused(s);

  const chronik_plugin* plugin = nullptr;
  try {
    // The throwing constructor, because the other one loses dlerror()'s text.
    auto* library = new boost::dll::shared_library(
        *real, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local | kNoDelete);
    keep_for_ever(library);
    plugin = &library->get<const chronik_plugin>(CHRONIK_PLUGIN_SYMBOL);
  } catch (const std::exception& e) {
    std::string why = e.what();
    std::replace(why.begin(), why.end(), '\n', ' ');
    return refused(refuse(Code::kFailedPrecondition,
                          "a library that loads with all its symbols resolved",
                          fmt::format("'{}'", why), "install what it needs, or rebuild it"));
  }
  if (Status s = check_descriptor(*plugin); !s.ok()) return refused(s);
  return LoadedPlugin{plugin, *real};
}

std::string kind_name(uint32_t kind) {
  const Kind* known = find_kind(kind);
  return known != nullptr ? known->name : fmt::format("kind {}", kind);
}

uint32_t kind_from_name(std::string_view name) {
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return kind.kind;
  }
  return 0;
}

}  // namespace chronik
