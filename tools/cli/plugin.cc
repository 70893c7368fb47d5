#include "plugin.h"

#include <filesystem>
#include <sstream>
#include <system_error>

#include "plugin/inspect.h"

namespace chronik::cli {

int run_plugin(const std::vector<std::string>& args, const Io& io) {
  // As chronikd has it: ../lib/chronik/plugins from the executable.
  std::vector<std::string> directories;
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed)
    directories.push_back(
        (self.parent_path().parent_path() / "lib" / "chronik" / "plugins").string());
  std::ostringstream out;
  std::ostringstream err;
  const int exit = plugin_command(args, directories, out, err);
  io.out(out.str());
  io.err(err.str());
  return exit;
}

}  // namespace chronik::cli
