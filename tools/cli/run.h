// The whole of `chronik`: finds the verb and runs it.
#pragma once

#include <string>
#include <vector>

#include "io.h"

namespace chronik::cli {

// `args` without the program's name. Returns the exit status.
int run(const std::vector<std::string>& args, const Io& io);

}  // namespace chronik::cli
