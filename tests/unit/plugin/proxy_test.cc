// The host's proxies: the order of an instance's life, and what checked builds say when a plugin
// breaks its contract.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "chronik/host/log_storage.hpp"
#include "chronik/host/state_machine.hpp"
#include "unit/plugin/sample_plugin.h"

namespace chronik {
namespace {

std::vector<std::string>* calls;  // of the test that runs

// An environment that drops everything.
chronik_log_storage_environment environment() {
  chronik_log_storage_environment e{};
  e.struct_size = sizeof e;
  e.on_complete = [](void*, const chronik_log_completion*, uint32_t) noexcept {};
  e.on_read = [](void*, chronik_log_read_result*) noexcept {};
  e.on_space = [](void*, uint32_t) noexcept {};
  return e;
}

std::unique_ptr<host::LogStorage> make_log(const SamplePlugin& sample) {
  std::unique_ptr<host::LogStorage> log;
  const sdk::Status status =
      host::LogStorage::create(sample.components[0], nullptr, environment(), {}, log);
  CHECK(status.ok() == (log != nullptr));
  return log;
}

// A sample whose head writes down what is called.
struct Recording : SamplePlugin {
  std::vector<std::string> seen;
  Recording() {
    calls = &seen;
    log.component.start = [](void*, chronik_error*) noexcept {
      calls->push_back("start");
      return int32_t{CHRONIK_OK};
    };
    log.component.stop = [](void*, chronik_done done) noexcept {
      calls->push_back("stop");
      std::thread([done] { done.call(done.context); }).detach();
    };
    log.component.destroy = [](void*) noexcept { calls->push_back("destroy"); };
  }
};

// What `body` writes to standard error in a child that it makes abort; "" if it doesn't abort.
std::string last_words(const std::function<void()>& body) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGABRT, SIG_DFL);
    ::dup2(ends[1], STDERR_FILENO);
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string words;
  char piece[512];
  for (ssize_t n = 0; (n = ::read(ends[0], piece, sizeof piece)) > 0;) {
    words.append(piece, static_cast<size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "" : words;
}

}  // namespace

TEST_CASE("an instance is stopped and awaited before it is destroyed") {
  Recording sample;
  {
    const auto log = make_log(sample);
    CHECK(log->start().ok());
    log->stop_and_wait();
    log->stop_and_wait();
    CHECK(sample.seen == std::vector<std::string>{"start", "stop"});
  }
  CHECK(sample.seen == std::vector<std::string>{"start", "stop", "destroy"});
}

TEST_CASE("an instance that nobody stopped is stopped by its destruction") {
  Recording sample;
  CHECK(make_log(sample)->start().ok());
  CHECK(sample.seen == std::vector<std::string>{"start", "stop", "destroy"});
}

TEST_CASE("an instance that was never started is only destroyed") {
  Recording sample;
  make_log(sample);
  CHECK(sample.seen == std::vector<std::string>{"destroy"});
}

TEST_CASE("an instance whose start failed is stopped too") {
  Recording sample;
  sample.log.component.start = [](void*, chronik_error* error) noexcept {
    calls->push_back("start");
    return sdk::Status(CHRONIK_E_DATA_LOSS, "the journal is damaged").to_abi(error);
  };
  {
    const auto log = make_log(sample);
    const sdk::Status status = log->start();
    CHECK(status.code() == CHRONIK_E_DATA_LOSS);
    CHECK(status.message() == "the journal is damaged");
  }
  CHECK(sample.seen == std::vector<std::string>{"start", "stop", "destroy"});
}

TEST_CASE("a failed create leaves its error and nothing to destroy") {
  Recording sample;
  sample.log.component.create = [](const chronik_host*, const void*, const chronik_config*, void**,
                                   chronik_error* error) noexcept {
    return sdk::Status(CHRONIK_E_INVALID_ARGUMENT, "no").to_abi(error);
  };
  CHECK(make_log(sample) == nullptr);
  CHECK(sample.seen.empty());
}

TEST_CASE("checked builds end the process when a plugin breaks its contract") {
  if (!host::kChecked) return;
  SamplePlugin sample;
  const auto says = [&](const std::string& promise, const std::function<void()>& body) {
    CHECK(last_words(body).starts_with("plugin component 'sample' broke its contract: " + promise));
  };
  const auto log = make_log(sample);
  chronik_log_batch batch{};
  CHECK(last_words([&] { (void)log->submit(batch, 1); }) == "");

  says("tokens in flight are distinct", [&] {
    (void)log->submit(batch, 1);
    (void)log->submit(batch, 1);
  });
  sample.log.submit = [](void*, const chronik_log_batch*, uint64_t, chronik_error*) noexcept {
    return int32_t{CHRONIK_E_FAILED};
  };
  says("a failing call fills error->code", [&] { (void)log->submit(batch, 1); });
  sample.log.group = [](void*, uint64_t, chronik_log_visitor, void*) noexcept {
    return int32_t{CHRONIK_OK};
  };
  says("group() visits the group once",
       [&] { (void)log->group(1, [](const chronik_log_group&) {}); });
  sample.log.scan_groups = [](void*, chronik_log_visitor visitor, void* context) noexcept {
    chronik_log_group group{};
    group.struct_size = sizeof group;
    group.last_index = 3;
    return visitor(context, &group);
  };
  says("term runs cover the log", [&] { (void)log->scan_groups([](const chronik_log_group&) {}); });

  // Callbacks, with the environment that create() was given.
  static const chronik_log_storage_environment* given;
  sample.log.component.create = [](const chronik_host*, const void* e, const chronik_config*,
                                   void** instance, chronik_error*) noexcept {
    given = static_cast<const chronik_log_storage_environment*>(e);
    *instance = &given;
    return int32_t{CHRONIK_OK};
  };
  const auto second = make_log(sample);
  says("each accepted submit completes once", [] {
    const chronik_log_completion completion{77, CHRONIK_OK, 0};
    given->on_complete(given->context, &completion, 1);
  });
  says("read entries are consecutive", [] {
    chronik_entry entries[2] = {};
    entries[0].index = 4;
    entries[1].index = 6;
    chronik_log_read_result result{};
    result.struct_size = sizeof result;
    result.entries = entries;
    result.entry_count = 2;
    result.entry_stride = sizeof(chronik_entry);
    result.release = [](chronik_log_read_result*) noexcept {};
    given->on_read(given->context, &result);
  });

  sample.log.component.create = [](const chronik_host*, const void*, const chronik_config*, void**,
                                   chronik_error*) noexcept { return int32_t{CHRONIK_OK}; };
  says("create() leaves an instance exactly when", [&] { (void)make_log(sample); });
}

TEST_CASE("checked builds look at a state machine's verdicts") {
  if (!host::kChecked) return;
  SamplePlugin sample;
  sample.machine.prepare = [](void*, chronik_proposal*, chronik_prepared* prepared) noexcept {
    prepared->verdict = 9;
  };
  std::unique_ptr<host::StateMachine> machine;
  chronik_state_machine_environment env{};
  REQUIRE(host::StateMachine::create(sample.components[1], nullptr, env, {}, machine).ok());
  CHECK(last_words([&] {
          chronik_proposal proposal{};
          chronik_prepared prepared;
          machine->prepare(proposal, prepared);
        }).find("prepare() gives one of the four verdicts") != std::string::npos);
  CHECK(last_words([&] {
          std::string bytes;
          chronik_answer answer;
          (void)machine->query(CHRONIK_QUERY_OWN, 0, "", bytes, answer);
        }).find("query() gives one of the three answers") != std::string::npos);
}

}  // namespace chronik
