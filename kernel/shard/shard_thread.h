// ShardThread: calls a shard's pass() under the real clock until the shard has stopped.
#pragma once

#include <thread>

#include "shard/shard.h"

namespace chronik {

class ShardThread {
 public:
  explicit ShardThread(Shard& shard);
  // Joins; begin_stop() of the shard must have been called.
  ~ShardThread();

 private:
  Shard& shard_;
  std::thread thread_;
};

}  // namespace chronik
