// The ABI's layout as C++20 sees it; nothing to run.
#include "layout.h"
