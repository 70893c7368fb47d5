// The contract's model test, on the shipped log storages.
#include <catch2/catch.hpp>

#include "check/log_model.h"

extern "C" const chronik_plugin chronik_plugin_v0_segment_wal;
extern "C" const chronik_plugin chronik_plugin_v0_memory;

using namespace chronik::check;

TEST_CASE("memory_behaves_as_the_model") {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    ModelTest::Settings settings;
    settings.seed = seed;
    settings.steps = 400;
    settings.persistent = false;
    ModelTest(chronik_plugin_v0_memory, nullptr, settings).run();
  }
}

TEST_CASE("segment_wal_behaves_as_the_model") {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SimDisk disk(seed);
    ModelTest::Settings settings;
    settings.seed = seed;
    settings.steps = 400;
    settings.payload_max = seed % 3 == 0 ? 6000 : 300;
    settings.options = {{"journal_file_size", "128KiB"},
                        {"checkpoint_bytes", "256KiB"},
                        {"segment_size", "64KiB"},
                        {"tail_cache_bytes", "8KiB"},
                        {"min_free_bytes", "0"}};
    ModelTest(chronik_plugin_v0_segment_wal, &disk, settings).run();
  }
}
