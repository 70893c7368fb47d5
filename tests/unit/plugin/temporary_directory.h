// A directory that is removed with all it holds at the end of the scope.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace chronik {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "chronik-test-XXXXXX";
    path_ = ::mkdtemp(name.data());
    path_ = std::filesystem::canonical(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace chronik
