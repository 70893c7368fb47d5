// `chronik plugin list|inspect`: works on files, without a node.
#pragma once

#include <string>
#include <vector>

#include "io.h"

namespace chronik::cli {

// `args` begin behind the word `plugin`.
int run_plugin(const std::vector<std::string>& args, const Io& io);

}  // namespace chronik::cli
