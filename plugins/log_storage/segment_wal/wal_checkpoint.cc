#include "wal.h"

namespace chronik::segment_wal {
using sdk::Status;
void Wal::request_checkpoint() {}
void Wal::run_checkpoint() {}
Status Wal::checkpoint() {
  return Status();
}
Status Wal::load_checkpoint() {
  return Status();
}
}  // namespace chronik::segment_wal
