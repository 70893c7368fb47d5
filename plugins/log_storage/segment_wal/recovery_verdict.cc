#include "recovery_verdict.h"

namespace chronik::segment_wal {

const char* describe(Verdict verdict) {
  switch (verdict) {
    case Verdict::kIntact: return "intact";
    case Verdict::kCleanEnd: return "clean end";
    case Verdict::kTorn: return "torn";
    case Verdict::kAmbiguous: return "ambiguous";
    case Verdict::kDamaged: return "damaged";
  }
  return "?";
}

}  // namespace chronik::segment_wal
