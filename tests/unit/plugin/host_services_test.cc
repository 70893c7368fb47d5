// Executors, timers, log lines, metrics and the life of an instance's host; no sleeps: tests wait
// for what must happen.
#include "plugin/host_services.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "chronik/sdk/base.hpp"
#include "unit/plugin/temporary_directory.h"

namespace chronik {
namespace {

constexpr int64_t kAnHour = 3'600'000'000'000;

struct Fixture {
  std::vector<std::string> lines;  // written one at a time by the sink
  LogSink sink{CHRONIK_LOG_INFO, [this](std::string_view line) { lines.emplace_back(line); }};
  HostServices services{{}, &sink};

  std::unique_ptr<InstanceHost> host(std::string directory = "",
                                     HostServices::OnFatal on_fatal = nullptr) {
    return services.make_host(CHRONIK_KIND_LOG_STORAGE, "wal", "main", std::move(directory),
                              std::move(on_fatal));
  }
};

}  // namespace

TEST_CASE("a posted task runs once on a host thread") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  std::promise<std::thread::id> ran;
  sdk_host.post(sdk::make_task([&] { ran.set_value(std::this_thread::get_id()); }));
  CHECK(ran.get_future().get() != std::this_thread::get_id());
  host->drain();
}

TEST_CASE("blocking tasks don't hold up the executor") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 10; ++i) sdk_host.post_blocking(sdk::make_task([=] { released.wait(); }));
  std::promise<void> ran;
  sdk_host.post(sdk::make_task([&] { ran.set_value(); }));
  ran.get_future().wait();
  release.set_value();
  host->drain();
}

TEST_CASE("delayed tasks run in the order of their times") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  std::promise<void> first;
  std::promise<void> second;
  std::atomic<bool> hour_passed{false};
  sdk_host.post_after(kAnHour, sdk::make_task([&] { hour_passed = true; }));
  sdk_host.post_after(1'000'000, sdk::make_task([&] { second.set_value(); }));
  sdk_host.post_after(0, sdk::make_task([&] { first.set_value(); }));
  first.get_future().wait();
  second.get_future().wait();
  CHECK_FALSE(hour_passed);
  host->begin_stop();
  host->drain();
  CHECK(hour_passed);
}

TEST_CASE("a stopping instance's delayed tasks run early, once, and so do those that follow") {
  Fixture f;
  const auto host = f.host();
  const auto other = f.host();
  const sdk::Host sdk_host(host->abi());
  std::atomic<int> ran{0};
  std::atomic<int> others{0};
  sdk::Host(other->abi()).post_after(kAnHour, sdk::make_task([&] { ++others; }));
  for (int i = 0; i < 20; ++i) {
    sdk_host.post_after(kAnHour + i, sdk::make_task([&] {
                          if (++ran <= 20) {
                            sdk_host.post_after(kAnHour, sdk::make_task([&] { ++ran; }));
                          }
                        }));
  }
  host->begin_stop();
  host->begin_stop();
  host->drain();
  CHECK(ran == 40);
  CHECK(others == 0);
}

TEST_CASE("drain waits for tasks that post further tasks to the other pool") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  std::atomic<int> hops{0};
  std::function<void()> hop = [&] {
    if (++hops == 100) return;
    if (hops % 2 == 0) {
      sdk_host.post(sdk::make_task(hop));
    } else {
      sdk_host.post_blocking(sdk::make_task(hop));
    }
  };
  hop();
  host->drain();
  CHECK(hops == 100);
}

TEST_CASE("many threads post many tasks") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        sdk_host.post(sdk::make_task([&] { ++ran; }));
        sdk_host.post_after(i * 1000, sdk::make_task([&] { ++ran; }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  host->begin_stop();
  host->drain();
  CHECK(ran == 4000);
}

TEST_CASE("stopping the services runs what the kernel had delayed") {
  Fixture f;
  std::atomic<int> ran{0};
  f.services.post_after(kAnHour, sdk::make_task([&] { ++ran; }));
  f.services.post_blocking(
      sdk::make_task([&] { f.services.post(sdk::make_task([&] { ++ran; })); }));
  f.services.stop();
  CHECK(ran == 2);
}

TEST_CASE("a log line has time, level and label, and is one line") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  CHECK_FALSE(sdk_host.logs(CHRONIK_LOG_DEBUG));
  sdk_host.log(CHRONIK_LOG_DEBUG, "not this");
  host->abi()->log(host->abi()->context, CHRONIK_LOG_DEBUG, sdk::slice("nor this"));
  sdk_host.log(CHRONIK_LOG_WARN, "two\nlines\x1b[31m");
  f.services.logger("shard/0").info("hello");
  REQUIRE(f.lines.size() == 2);
  // 2026-11-23T21:12:30.123Z
  CHECK(f.lines[0].substr(10, 1) == "T");
  CHECK(f.lines[0].substr(23) == "Z warn  wal/main: two\\nlines?[31m");
  CHECK(f.lines[1].substr(23) == "Z info  shard/0: hello");
  f.sink.set_level(CHRONIK_LOG_OFF);
  f.services.logger("x").error("not this");
  CHECK(f.lines.size() == 2);
}

TEST_CASE("log levels are read by name") {
  CHECK(parse_log_level("warn").value() == CHRONIK_LOG_WARN);
  CHECK(parse_log_level("wran").status().message() ==
        "expected trace, debug, info, warn, error or off, found 'wran': did you mean 'warn'?");
}

TEST_CASE("the first fatal report counts") {
  Fixture f;
  std::vector<std::string> reports;
  const auto host = f.host("", [&](const Status& s) { reports.push_back(s.to_string()); });
  sdk::Host(host->abi()).fatal({CHRONIK_E_FAILED, "fdatasync: Input/output error"});
  sdk::Host(host->abi()).fatal({CHRONIK_E_INTERNAL, "and then this"});
  CHECK(reports == std::vector<std::string>{"failed: fdatasync: Input/output error"});
  REQUIRE(f.lines.size() == 1);
  CHECK(f.lines[0].find("wal/main: failed: failed: fdatasync") != std::string::npos);
}

TEST_CASE("a metric's cell is found again and shows up with prefix and label") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  int64_t* cell = sdk_host.counter("syncs_total", "Syncs.");
  CHECK(sdk_host.counter("syncs_total", "Syncs.") == cell);
  sdk::add(cell, 3);
  sdk::set(f.services.metrics().gauge("chronik_groups", "Groups."), 7);
  std::map<std::string, int64_t> seen;
  f.services.metrics().visit([&](const Metrics::Metric& m) {
    seen[std::string(m.name) + "{" + std::string(m.labels) + "}"] = m.value;
  });
  CHECK(seen == std::map<std::string, int64_t>{{"chronik_groups{}", 7},
                                               {"chronik_wal_syncs_total{instance=\"main\"}", 3}});
}

TEST_CASE("file-io is offered to instances with a directory only") {
  Fixture f;
  const TemporaryDirectory directory;
  const auto without = f.host();
  const auto with = f.host(directory.path());
  CHECK(sdk::Host(without->abi()).file_io() == nullptr);
  REQUIRE(sdk::Host(with->abi()).file_io() != nullptr);
  CHECK(sdk::Host(with->abi()).extension<void>("chronik.nonsense/1") == nullptr);
}

TEST_CASE("clocks, random numbers and buffers") {
  Fixture f;
  const auto host = f.host();
  const sdk::Host sdk_host(host->abi());
  const int64_t before = sdk_host.monotonic_ns();
  CHECK(sdk_host.monotonic_ns() >= before);
  CHECK(sdk_host.wall_ms() > 1'600'000'000'000);
  CHECK(sdk_host.random() != sdk_host.random());
  const sdk::BufferRef buffer = sdk_host.allocate(100, 4096);
  CHECK(buffer.size() == 100);
  CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 4096 == 0);
}

}  // namespace chronik
