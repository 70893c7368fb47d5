// What recovery makes of the place where the journal stops making sense. A pure function, so that a
// test can show that every input has exactly one verdict.
//
// Frames are written one at a time: frame n+1 is begun when frame n is durable. So when a block of
// any later frame exists, or a later file says that frame n was there, frame n had been
// acknowledged, and whatever is wrong with it now is damage. Without such evidence it may be the
// frame that a power cut interrupted: some of its blocks arrived, the others still hold what the
// file held before, zeros or an older frame. A block that is neither was torn within itself, or
// rotted; that can't be told apart.
#pragma once

#include <cstdint>

namespace chronik::segment_wal {

// What was found in the place where frame n is expected.
struct FrameEvidence {
  bool later = false;          // something proves that frame n had been durable
  bool contradictory = false;  // all checksums hold, but the content contradicts what precedes it
  bool valid_blocks = false;   // blocks of frame n
  bool old_blocks = false;     // blocks of zeros, or of older frames
  bool bad_blocks = false;     // blocks that are neither
};

enum class Verdict : uint8_t {
  kIntact,     // the frame is there: apply it
  kCleanEnd,   // nothing was written here: the journal ends before
  kTorn,       // an unfinished write, never acknowledged: discard it
  kAmbiguous,  // a torn block or rot in the last frame: discard or refuse, by option; always
               // reported
  kDamaged,    // acknowledged data is damaged: refuse to open
};

constexpr Verdict judge(const FrameEvidence& e) {
  if (e.contradictory) return Verdict::kDamaged;
  const bool whole = e.valid_blocks && !e.old_blocks && !e.bad_blocks;
  if (whole) return Verdict::kIntact;
  if (e.later) return Verdict::kDamaged;
  if (e.bad_blocks) return Verdict::kAmbiguous;
  if (e.valid_blocks) return Verdict::kTorn;
  return Verdict::kCleanEnd;
}

const char* describe(Verdict verdict);

}  // namespace chronik::segment_wal
