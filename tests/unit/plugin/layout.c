/* The ABI's layout as C11 sees it; nothing to run. */
#include "layout.h"
