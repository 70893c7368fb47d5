// Recovery of segment_wal from damaged stores, and its behaviour under disk faults.
#include <catch2/catch.hpp>

#include "check/log_store.h"

extern "C" const chronik_plugin chronik_plugin_v0_segment_wal;

using namespace chronik::check;

namespace {

const std::map<std::string, std::string> kSmall = {
    {"journal_file_size", "64KiB"}, {"checkpoint_bytes", "1MiB"}, {"min_free_bytes", "0"}};

std::unique_ptr<LogStore> open(SimDisk* disk) {
  return std::make_unique<LogStore>(chronik_plugin_v0_segment_wal, disk, kSmall);
}

Batch one_entry(uint64_t group, uint64_t after, const std::string& payload) {
  Batch batch;
  batch.append(group, after, after == 0 ? 0 : 1, {Entry{1, 0, 1, after, 5, payload}});
  return batch;
}

std::string payload_of(uint64_t index) {
  return "payload " + std::to_string(index) + std::string(40, static_cast<char>('a' + index));
}

// A store with `count` acknowledged frames of one entry each, whose process died.
void fill(SimDisk* disk, uint64_t count) {
  auto store = open(disk);
  REQUIRE(store->start() == CHRONIK_OK);
  REQUIRE(store->write(Batch().create(1)) == CHRONIK_OK);
  for (uint64_t i = 0; i < count; ++i)
    REQUIRE(store->write(one_entry(1, i, payload_of(i + 1))) == CHRONIK_OK);
  store->crash();
  disk->kill();
}

const char kJournal[] = "j/0000000000000001.wal";

// Opens what is there: a valid prefix of the entries, or a clear error. Returns the entries found.
int check_prefix_or_error(SimDisk* disk, uint64_t count) {
  auto store = open(disk);
  if (store->start() != CHRONIK_OK) {
    CHECK(!store->error().empty());
    return -1;
  }
  if (!store->group(1)) return 0;
  const ReadOutcome all = store->read_all(1);
  REQUIRE(all.status == CHRONIK_OK);
  REQUIRE(all.entries.size() <= count);
  for (const Entry& entry : all.entries)
    if (entry.payload != payload_of(entry.index)) FAIL("wrong bytes");
  return static_cast<int>(all.entries.size());
}

}  // namespace

TEST_CASE("a_journal_cut_at_any_byte_gives_a_prefix_or_an_error") {
  SimDisk disk;
  fill(&disk, 4);
  const auto whole = disk.snapshot();
  for (uint64_t size = 0; size < 8 * 4096; size += size % 4096 < 200 ? 1 : 97) {
    disk.restore(whole);
    disk.truncate(kJournal, size);
    check_prefix_or_error(&disk, 4);
  }
}

TEST_CASE("a_flip_before_a_later_frame_is_damage_never_a_torn_tail") {
  SimDisk disk;
  fill(&disk, 4);  // frames in blocks 1 (create) to 5
  const auto whole = disk.snapshot();
  for (uint64_t at = 0; at < 6 * 4096; at += at % 4096 < 400 || at % 4096 > 4060 ? 1 : 61) {
    disk.restore(whole);
    disk.flip(kJournal, at, static_cast<uint8_t>(1u << (at % 8)));
    const int found = check_prefix_or_error(&disk, 4);
    INFO("byte " << at);
    if (at >= 72 && at < 4096) {
      CHECK(found == 4);  // behind the header, nothing is kept
    } else if (at < 5 * 4096) {
      CHECK(found == -1);
    } else {
      CHECK(found == 3);  // the last frame: torn or damaged, which can't be told apart
    }
  }
}

TEST_CASE("completions_wait_for_the_datasync") {
  SimDisk disk;
  auto store = open(&disk);
  REQUIRE(store->start() == CHRONIK_OK);
  store->host().run();
  disk.hold_syncs(true);
  REQUIRE(store->submit(Batch().create(1), 1) == CHRONIK_OK);
  REQUIRE(store->submit(one_entry(1, 0, "x"), 2) == CHRONIK_OK);
  store->host().run();
  CHECK(store->completions().empty());
  CHECK(store->group(1)->durable_index == 0);
  CHECK(store->read_all(1).entries.size() == 1);  // readable at once
  const uint64_t syncs = disk.count(CHRONIK_IO_DATASYNC);
  disk.hold_syncs(false);
  store->host().run();
  CHECK(store->completion_order() == std::vector<uint64_t>{1, 2});
  CHECK(store->group(1)->durable_index == 1);
  CHECK(disk.count(CHRONIK_IO_DATASYNC) == syncs + 2);
  store->close();
}

TEST_CASE("one_sync_covers_all_that_gathered_meanwhile") {
  SimDisk disk;
  auto store = open(&disk);
  REQUIRE(store->start() == CHRONIK_OK);
  store->host().run();
  disk.hold_syncs(true);
  for (uint64_t group = 1; group <= 100; ++group)
    REQUIRE(store->submit(Batch().create(group), group) == CHRONIK_OK);
  const uint64_t syncs = disk.count(CHRONIK_IO_DATASYNC);
  disk.hold_syncs(false);
  store->host().run();
  CHECK(store->completions().size() == 100);
  CHECK(disk.count(CHRONIK_IO_DATASYNC) == syncs + 2);  // the first alone, then all others
  store->close();
}

TEST_CASE("a_failed_sync_is_final") {
  SimDisk disk;
  auto store = open(&disk);
  REQUIRE(store->start() == CHRONIK_OK);
  store->host().run();
  REQUIRE(store->write(Batch().create(1)) == CHRONIK_OK);
  disk.fail_sync_marking_clean(0);
  CHECK(store->write(one_entry(1, 0, "x")) == CHRONIK_E_FAILED);
  store->host().run();
  CHECK(store->host().fatals().size() == 1);
  CHECK(store->submit(one_entry(1, 1, "y"), 7) == CHRONIK_E_FAILED);
  CHECK(store->read_once(1, CHRONIK_LOG_FROM_INDEX, 1, 2, 1).status == CHRONIK_E_FAILED);
  store->close();
}

TEST_CASE("a_full_disk_makes_batches_wait_and_go_on") {
  SimDisk disk;
  auto store = open(&disk);
  REQUIRE(store->start() == CHRONIK_OK);
  store->host().run();
  disk.set_capacity(disk.used());
  REQUIRE(store->write(Batch().create(1)) == CHRONIK_OK);
  uint64_t index = 0;
  uint64_t token = 1;
  while (store->space_signals().empty()) {
    REQUIRE(index < 20);
    REQUIRE(store->submit(one_entry(1, index++, std::string(20000, 'x')), token++) == CHRONIK_OK);
    store->host().run();
  }
  CHECK(store->space_signals().back() == 1);
  for (int i = 0; i < 5; ++i)
    REQUIRE(store->submit(one_entry(1, index++, std::string(20000, 'x')), token++) == CHRONIK_OK);
  for (int i = 0; i < 5; ++i) {
    store->host().run_delayed();
    store->host().run();
  }
  CHECK_FALSE(store->completed(token - 1));  // it waits, and isn't failed
  CHECK(store->host().fatals().empty());
  disk.set_capacity(UINT64_MAX);
  for (int i = 0; i < 5; ++i) {
    store->host().run_delayed();
    store->host().run();
  }
  CHECK(store->space_signals().back() == 0);
  for (uint64_t i = 1; i < token; ++i) CHECK(store->completed(i));
  CHECK(store->read_all(1).entries.size() == index);
  store->close();
}

// A start that looked for the frame after the checkpoint behind the file before took a healthy
// journal for damaged.
TEST_CASE("a_checkpoint_may_end_with_the_first_frame_of_a_file_that_follows_another") {
  SimDisk disk;
  auto options = kSmall;
  options["checkpoint_bytes"] = "64KiB";
  auto store = std::make_unique<LogStore>(chronik_plugin_v0_segment_wal, &disk, options);
  REQUIRE(store->start() == CHRONIK_OK);
  store->host().run();
  // 15 frames of one block fill the first file; the next one makes 64 KiB and asks for a
  // checkpoint.
  REQUIRE(store->write(Batch().create(1)) == CHRONIK_OK);
  for (uint64_t i = 0; i < 14; ++i)
    REQUIRE(store->write(one_entry(1, i, payload_of(i + 1))) == CHRONIK_OK);
  const std::vector<uint8_t> first_file = disk.content(kJournal);
  for (uint64_t i = 14; i < 18; ++i) {
    REQUIRE(store->write(one_entry(1, i, payload_of(i + 1))) == CHRONIK_OK);
    store->host().run();
  }
  REQUIRE(disk.exists("checkpoint"));
  REQUIRE_FALSE(disk.exists(kJournal));
  store->crash();
  disk.kill();
  // As if the process had died before it gave the first file back.
  auto files = disk.snapshot();
  files.files.erase("j/spare-0000000000000001");
  files.files[kJournal] = first_file;
  disk.restore(files);
  CHECK(check_prefix_or_error(&disk, 18) == 18);
}

// Files given back go one at a time: a power cut that kept the removal of a later one only left a
// gap.
TEST_CASE("whatever_operation_the_process_dies_in_all_that_was_acknowledged_is_there") {
  const std::map<std::string, std::string> options = {{"journal_file_size", "64KiB"},
                                                      {"checkpoint_bytes", "64KiB"},
                                                      {"segment_size", "64KiB"},
                                                      {"tail_cache_bytes", "16KiB"},
                                                      {"min_free_bytes", "0"}};
  const bool power_cut = GENERATE(false, true);
  const uint64_t variant = GENERATE(range(uint64_t{0}, uint64_t{2}));
  bool finished = false;
  for (uint64_t crash_after = 1; !finished; ++crash_after) {
    REQUIRE(crash_after < 5000);
    SimDisk disk(crash_after + 10000 * variant);
    uint64_t acknowledged = 0;
    bool created = false;
    {
      LogStore store(chronik_plugin_v0_segment_wal, &disk, options, crash_after + 10000 * variant);
      REQUIRE(store.start() == CHRONIK_OK);
      store.host().run();
      disk.crash_after(crash_after);
      // Token 1 creates the group, token n + 1 appends entry n. Several are under way at once, so
      // that checkpoints and commits overlap.
      REQUIRE(store.submit(Batch().create(1), 1) == CHRONIK_OK);
      for (uint64_t i = 0; i < 120; ++i) {
        Batch batch = one_entry(1, i, std::string(1000 + 2500 * (i % 5), 'x'));
        batch.hard_state(1, 1, 1, i, true);
        if (store.submit(batch, i + 2) != CHRONIK_OK) break;
        for (uint64_t steps = (i * 7 + crash_after) % 12; steps > 0; --steps) store.host().step();
      }
      store.host().run();
      const auto is_acknowledged = [&](uint64_t token) {
        const auto completion = store.completions().find(token);
        return completion != store.completions().end() && completion->second == CHRONIK_OK;
      };
      created = is_acknowledged(1);
      while (is_acknowledged(acknowledged + 2)) ++acknowledged;
      finished = !disk.crashed();
      store.crash();
    }
    power_cut ? disk.power_cut() : disk.kill();
    LogStore again(chronik_plugin_v0_segment_wal, &disk, options);
    INFO("operation " << crash_after << ", acknowledged " << acknowledged);
    const int32_t started = again.start();
    INFO(again.error());
    REQUIRE(started == CHRONIK_OK);
    if (created) {
      const ReadOutcome all = again.read_all(1);
      REQUIRE(all.status == CHRONIK_OK);
      REQUIRE(all.entries.size() >= acknowledged);
    }
    again.close();
  }
}

TEST_CASE("another_stores_directory_is_refused") {
  SimDisk disk;
  fill(&disk, 1);
  disk.flip("store.meta", 20, 1);
  auto store = open(&disk);
  CHECK(store->start() == CHRONIK_E_DATA_LOSS);
}
