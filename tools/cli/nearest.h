// What somebody who mistyped a name may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace chronik::cli {

// The candidates within a few typing errors of `name`, nearest first, at most three.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates);

// "; did you mean 'a' or 'b'?", or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace chronik::cli
