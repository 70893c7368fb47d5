// chronik: the command line tool. See run.h.
#include <unistd.h>

#include <string>
#include <vector>

#include "run.h"

int main(int argc, char** argv) {
  chronik::cli::Io io;
  io.progress = ::isatty(io.err_fd) == 1;
  return chronik::cli::run(std::vector<std::string>(argv + 1, argv + argc), io);
}
