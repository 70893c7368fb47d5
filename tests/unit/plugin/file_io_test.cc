// file-io on the real file system: what each operation does, and that no path leaves the directory.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "chronik/sdk/base.hpp"
#include "plugin/real_file_io.h"
#include "unit/plugin/temporary_directory.h"

namespace chronik {
namespace {

chronik_slice slice_of(std::string_view text) {
  return {text.data(), text.size()};
}

chronik_io_operation make(uint32_t kind, int64_t file = CHRONIK_IO_OPENED) {
  chronik_io_operation operation{};
  operation.struct_size = sizeof operation;
  operation.kind = kind;
  operation.file = file;
  return operation;
}

chronik_io_operation opening(std::string_view path, uint32_t flags) {
  chronik_io_operation operation = make(CHRONIK_IO_OPEN);
  operation.path = slice_of(path);
  operation.flags = flags;
  return operation;
}

chronik_io_operation with_path(uint32_t kind, std::string_view path, std::string_view other = {}) {
  chronik_io_operation operation = make(kind);
  operation.path = slice_of(path);
  operation.other_path = slice_of(other);
  return operation;
}

chronik_io_operation writing(uint64_t offset, const std::vector<chronik_slice>& slices) {
  chronik_io_operation operation = make(CHRONIK_IO_WRITE);
  operation.offset = offset;
  operation.slices = slices.data();
  operation.slice_count = static_cast<uint32_t>(slices.size());
  return operation;
}

chronik_io_operation reading(uint64_t offset, std::vector<uint8_t>& buffer) {
  chronik_io_operation operation = make(CHRONIK_IO_READ);
  operation.offset = offset;
  operation.buffer = buffer.data();
  operation.size = buffer.size();
  return operation;
}

chronik_io_chain chain_of(std::vector<chronik_io_operation>& operations, uint32_t lane) {
  chronik_io_chain chain{};
  chain.struct_size = sizeof chain;
  chain.lane = lane;
  chain.operations = operations.data();
  chain.operation_count = static_cast<uint32_t>(operations.size());
  chain.operation_stride = sizeof(chronik_io_operation);
  return chain;
}

struct Fixture {
  TemporaryDirectory directory;
  PendingWork pending;
  RealFileIo files{directory.path(), 2, &pending};

  // Performs on the calling thread; the outcome is in the chain.
  chronik_io_chain run(std::vector<chronik_io_operation>& operations) {
    chronik_io_chain chain = chain_of(operations, CHRONIK_IO_LANE_COMMIT);
    files.abi()->run(files.abi()->context, &chain);
    return chain;
  }
  int32_t run_one(chronik_io_operation operation) {
    std::vector<chronik_io_operation> operations = {operation};
    return run(operations).status;
  }
  std::string content(const std::string& name) {
    std::ifstream file(directory.path() + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

}  // namespace

TEST_CASE("a chain opens, writes, syncs and reads back through the file it opened") {
  Fixture f;
  const std::vector<chronik_slice> slices = {slice_of("one "), slice_of(""), slice_of("two")};
  std::vector<uint8_t> buffer(16);
  std::vector<chronik_io_operation> operations = {opening("log", CHRONIK_IO_CREATE),
                                                  writing(4, slices),
                                                  make(CHRONIK_IO_DATASYNC),
                                                  make(CHRONIK_IO_SIZE),
                                                  reading(0, buffer),
                                                  make(CHRONIK_IO_LOCK),
                                                  with_path(CHRONIK_IO_SYNC_DIRECTORY, ""),
                                                  make(CHRONIK_IO_CLOSE)};
  const chronik_io_chain chain = f.run(operations);
  INFO(chain.failed_operation << " " << chain.os_error);
  REQUIRE(chain.status == CHRONIK_OK);
  CHECK(operations[1].result == 7);
  CHECK(operations[3].result == 11);
  CHECK(operations[4].result == 11);  // short only at the end of the file
  CHECK(f.content("log") == std::string("\0\0\0\0one two", 11));
}

TEST_CASE("a chain stops at the first operation that fails and says which") {
  Fixture f;
  std::vector<chronik_io_operation> operations = {with_path(CHRONIK_IO_MAKE_DIRECTORY, "a"),
                                                  opening("a/missing", 0),
                                                  with_path(CHRONIK_IO_MAKE_DIRECTORY, "b")};
  const chronik_io_chain chain = f.run(operations);
  CHECK(chain.status == CHRONIK_E_NOT_FOUND);
  CHECK(chain.failed_operation == 1);
  CHECK(chain.os_error == ENOENT);
  CHECK(std::filesystem::exists(f.directory.path() + "/a"));
  CHECK_FALSE(std::filesystem::exists(f.directory.path() + "/b"));
}

TEST_CASE("more slices than one system call takes are written whole") {
  Fixture f;
  std::string bytes(5000, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  std::vector<chronik_slice> slices;
  for (size_t i = 0; i < bytes.size(); ++i) slices.push_back({bytes.data() + i, 1});
  std::vector<chronik_io_operation> operations = {opening("f", CHRONIK_IO_CREATE),
                                                  writing(0, slices), make(CHRONIK_IO_CLOSE)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  CHECK(operations[1].result == bytes.size());
  CHECK(f.content("f") == bytes);
}

TEST_CASE("paths stay in the instance's directory") {
  Fixture f;
  std::ofstream(f.directory.path() + "/real") << "x";
  std::filesystem::create_directory(f.directory.path() + "/sub");
  std::filesystem::create_symlink("/etc", f.directory.path() + "/away");
  std::filesystem::create_symlink("real", f.directory.path() + "/link");
  for (const char* path : {"/etc/passwd", "../x", "sub/../../x", "away/passwd", "link", "", ".",
                           "sub/..", "sub//x", "./real"}) {
    INFO(path);
    CHECK(f.run_one(opening(path, CHRONIK_IO_READ_ONLY)) != CHRONIK_OK);
    if (std::string_view(path) == "link") continue;  // renaming replaces the link itself
    CHECK(f.run_one(with_path(CHRONIK_IO_RENAME, "real", path)) != CHRONIK_OK);
    CHECK(f.run_one(with_path(CHRONIK_IO_MAKE_DIRECTORY, path)) != CHRONIK_OK);
  }
  CHECK(f.run_one(opening(std::string_view("re\0al", 5), CHRONIK_IO_CREATE)) ==
        CHRONIK_E_INVALID_ARGUMENT);
  CHECK(f.run_one(with_path(CHRONIK_IO_LIST, "..")) == CHRONIK_E_INVALID_ARGUMENT);
  CHECK(f.run_one(with_path(CHRONIK_IO_UNLINK, "away/x")) != CHRONIK_OK);
}

TEST_CASE("names in a directory: make, list, rename, unlink") {
  Fixture f;
  CHECK(f.run_one(with_path(CHRONIK_IO_MAKE_DIRECTORY, "d")) == CHRONIK_OK);
  CHECK(f.run_one(with_path(CHRONIK_IO_MAKE_DIRECTORY, "d")) == CHRONIK_OK);
  std::vector<chronik_io_operation> operations = {opening("d/x", CHRONIK_IO_CREATE),
                                                  make(CHRONIK_IO_CLOSE)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  CHECK(f.run_one(with_path(CHRONIK_IO_MAKE_DIRECTORY, "d/x")) == CHRONIK_E_ALREADY_EXISTS);
  CHECK(f.run_one(opening("d/x", CHRONIK_IO_CREATE | CHRONIK_IO_EXCLUSIVE)) ==
        CHRONIK_E_ALREADY_EXISTS);
  CHECK(f.run_one(with_path(CHRONIK_IO_RENAME, "d/x", "y")) == CHRONIK_OK);

  std::set<std::string> names;
  chronik_io_operation list = with_path(CHRONIK_IO_LIST, "");
  list.sink = {&names, [](void* context, chronik_slice name) noexcept -> int32_t {
                 static_cast<std::set<std::string>*>(context)->emplace(sdk::view(name));
                 return CHRONIK_OK;
               }};
  CHECK(f.run_one(list) == CHRONIK_OK);
  CHECK(names == std::set<std::string>{"d", "y"});
  list.sink.write = [](void*, chronik_slice) noexcept -> int32_t { return CHRONIK_E_CANCELLED; };
  CHECK(f.run_one(list) == CHRONIK_E_CANCELLED);

  CHECK(f.run_one(with_path(CHRONIK_IO_UNLINK, "y")) == CHRONIK_OK);
  CHECK(f.run_one(with_path(CHRONIK_IO_UNLINK, "d")) == CHRONIK_OK);
  CHECK(f.run_one(with_path(CHRONIK_IO_UNLINK, "d")) == CHRONIK_E_NOT_FOUND);
}

TEST_CASE("truncate, allocate, space and sync of everything") {
  Fixture f;
  chronik_io_operation truncate = make(CHRONIK_IO_TRUNCATE);
  truncate.size = 100;
  chronik_io_operation allocate = make(CHRONIK_IO_ALLOCATE);
  allocate.offset = 0;
  allocate.size = 1 << 20;
  std::vector<chronik_io_operation> operations = {
      opening("f", CHRONIK_IO_CREATE), truncate,
      make(CHRONIK_IO_SIZE),           allocate,
      make(CHRONIK_IO_SIZE),           make(CHRONIK_IO_SPACE),
      make(CHRONIK_IO_SYNC_ALL)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  CHECK(operations[2].result == 100);
  CHECK(operations[4].result == 1 << 20);
  CHECK(operations[5].result > 0);
  CHECK(operations[5].size >= operations[5].result);
}

TEST_CASE("a lock is exclusive until its file is closed") {
  Fixture f;
  std::vector<chronik_io_operation> first = {opening("LOCK", CHRONIK_IO_CREATE),
                                             make(CHRONIK_IO_LOCK)};
  REQUIRE(f.run(first).status == CHRONIK_OK);
  std::vector<chronik_io_operation> second = {opening("LOCK", CHRONIK_IO_CREATE),
                                              make(CHRONIK_IO_LOCK)};
  CHECK(f.run(second).status == CHRONIK_E_FAILED_PRECONDITION);
  CHECK(f.run_one(make(CHRONIK_IO_CLOSE, first[0].file)) == CHRONIK_OK);
  CHECK(f.run_one(make(CHRONIK_IO_LOCK, second[0].file)) == CHRONIK_OK);
}

TEST_CASE("a handle that is closed or made up is refused, also when its slot is used again") {
  Fixture f;
  std::vector<chronik_io_operation> operations = {opening("a", CHRONIK_IO_CREATE)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  const int64_t stale = operations[0].file;
  CHECK(f.run_one(make(CHRONIK_IO_CLOSE, stale)) == CHRONIK_OK);
  operations = {opening("b", CHRONIK_IO_CREATE)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  CHECK(operations[0].file != stale);
  for (const int64_t handle :
       {stale, int64_t{-1}, int64_t{CHRONIK_IO_OPENED}, int64_t{0}, int64_t{1}, INT64_MAX}) {
    INFO(handle);
    CHECK(f.run_one(make(CHRONIK_IO_SIZE, handle)) == CHRONIK_E_INVALID_ARGUMENT);
    CHECK(f.run_one(make(CHRONIK_IO_CLOSE, handle)) == CHRONIK_E_INVALID_ARGUMENT);
  }
}

TEST_CASE("direct I/O works, or says that it fell back") {
  Fixture f;
  struct Page {
    alignas(4096) char bytes[8192];
  };
  auto page = std::make_unique<Page>();
  std::memset(page->bytes, 'd', sizeof page->bytes);
  const std::vector<chronik_slice> slices = {{page->bytes, 4096}, {page->bytes + 4096, 4096}};
  chronik_io_operation read_back = make(CHRONIK_IO_READ);
  read_back.buffer = reinterpret_cast<uint8_t*>(page->bytes);
  read_back.size = 8192;
  std::vector<chronik_io_operation> operations = {
      opening("f", CHRONIK_IO_CREATE | CHRONIK_IO_EXCLUSIVE | CHRONIK_IO_DIRECT),
      writing(0, slices), make(CHRONIK_IO_DATASYNC), read_back, make(CHRONIK_IO_CLOSE)};
  REQUIRE(f.run(operations).status == CHRONIK_OK);
  CHECK(operations[0].result <= 1);
  CHECK(operations[1].result == 8192);
  CHECK(operations[3].result == 8192);
  CHECK(f.content("f") == std::string(8192, 'd'));
}

TEST_CASE("a write beyond a limit fails and is not reported as done") {
  Fixture f;
  std::vector<chronik_io_operation> open_it = {opening("f", CHRONIK_IO_CREATE)};
  REQUIRE(f.run(open_it).status == CHRONIK_OK);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = before;
  limit.rlim_cur = 8192;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string bytes(6000, 'x');
  const std::vector<chronik_slice> slices = {slice_of(bytes), slice_of(bytes)};
  chronik_io_operation write_it = writing(0, slices);
  write_it.file = open_it[0].file;
  std::vector<chronik_io_operation> operations = {write_it};
  const chronik_io_chain chain = f.run(operations);
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old);
  CHECK(chain.status != CHRONIK_OK);  // the first call is short, the second fails
  CHECK(chain.os_error == EFBIG);
}

TEST_CASE("a missing directory shows at the first operation") {
  RealFileIo files("/nonexistent/chronik", 1);
  std::vector<chronik_io_operation> operations = {opening("x", CHRONIK_IO_CREATE)};
  chronik_io_chain chain = chain_of(operations, CHRONIK_IO_LANE_COMMIT);
  CHECK(files.abi()->run(files.abi()->context, &chain) == CHRONIK_E_NOT_FOUND);
}

namespace {

// A chain of one SYNC_DIRECTORY that submits itself again from `done` until it has run `rounds`
// times.
struct Repeating {
  chronik_io_chain chain{};
  chronik_io_operation operation = with_path(CHRONIK_IO_SYNC_DIRECTORY, "");
  const chronik_file_io* io = nullptr;
  int rounds = 0;
  std::vector<std::thread::id> threads;
  std::promise<void> ended;

  void start(uint32_t lane) {
    chain.struct_size = sizeof chain;
    chain.lane = lane;
    chain.operations = &operation;
    chain.operation_count = 1;
    chain.operation_stride = sizeof operation;
    chain.done = [](chronik_io_chain* done) noexcept {
      auto* self = reinterpret_cast<Repeating*>(done);
      self->threads.push_back(std::this_thread::get_id());
      if (--self->rounds == 0) {
        self->ended.set_value();
      } else {
        self->io->submit(self->io->context, done);
      }
    };
    io->submit(io->context, &chain);
  }
};

}  // namespace

TEST_CASE("a chain submitted from done stays on its thread") {
  Fixture f;
  Repeating repeating;
  repeating.io = f.files.abi();
  repeating.rounds = 50;
  repeating.start(CHRONIK_IO_LANE_READ);  // the lane with more than one thread
  repeating.ended.get_future().wait();
  f.pending.wait_until_none();
  for (const std::thread::id id : repeating.threads) CHECK(id == repeating.threads.front());
}

TEST_CASE("the commit lane runs chains in the order of submission") {
  Fixture f;
  struct Numbered {
    chronik_io_chain chain;
    int number;
    std::vector<int>* order;
  };
  std::vector<int> order;
  std::vector<chronik_io_operation> operation = {with_path(CHRONIK_IO_SYNC_DIRECTORY, "")};
  std::vector<Numbered> chains(100);
  for (int i = 0; i < 100; ++i) {
    auto& numbered = chains[static_cast<size_t>(i)];
    numbered = {chain_of(operation, CHRONIK_IO_LANE_COMMIT), i, &order};
    numbered.chain.done = [](chronik_io_chain* done) noexcept {
      auto* self = reinterpret_cast<Numbered*>(done);
      self->order->push_back(self->number);
    };
    f.files.abi()->submit(f.files.abi()->context, &numbered.chain);
  }
  f.pending.wait_until_none();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  CHECK(order == expected);
}

TEST_CASE("chains of many threads on all lanes each end once") {
  Fixture f;
  struct Counting {
    chronik_io_chain chain;
    std::atomic<int>* ended;
  };
  std::atomic<int> ended{0};
  std::vector<Counting> chains(4 * 200);
  std::vector<std::thread> threads;
  std::vector<std::vector<chronik_io_operation>> operations(chains.size(),
                                                            {make(CHRONIK_IO_SPACE)});
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t * 200; i < (t + 1) * 200; ++i) {
        chains[i] = {chain_of(operations[i], static_cast<uint32_t>(i % 3)), &ended};
        chains[i].chain.done = [](chronik_io_chain* done) noexcept {
          reinterpret_cast<Counting*>(done)->ended->fetch_add(1);
        };
        f.files.abi()->submit(f.files.abi()->context, &chains[i].chain);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  f.pending.wait_until_none();
  CHECK(ended == 800);
}

}  // namespace chronik
