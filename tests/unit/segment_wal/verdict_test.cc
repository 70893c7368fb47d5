// The recovery table: every input has exactly one verdict, and it is this one.
#include "recovery_verdict.h"

#include <catch2/catch.hpp>

using namespace chronik::segment_wal;

TEST_CASE("every_input_has_exactly_one_verdict") {
  int seen[5] = {};
  for (unsigned bits = 0; bits < 32; ++bits) {
    FrameEvidence e;
    e.later = (bits & 1) != 0;
    e.contradictory = (bits & 2) != 0;
    e.valid_blocks = (bits & 4) != 0;
    e.old_blocks = (bits & 8) != 0;
    e.bad_blocks = (bits & 16) != 0;
    // The table, row by row; rows must not overlap and must cover everything.
    const bool whole = e.valid_blocks && !e.old_blocks && !e.bad_blocks;
    const bool rows[5] = {
        !e.contradictory && whole,
        !e.contradictory && !e.later && !e.valid_blocks && !e.bad_blocks,
        !e.contradictory && !e.later && e.valid_blocks && e.old_blocks && !e.bad_blocks,
        !e.contradictory && !e.later && e.bad_blocks,
        e.contradictory || (e.later && !whole),
    };
    int matching = 0;
    for (int i = 0; i < 5; ++i) {
      if (!rows[i]) continue;
      ++matching;
      CHECK(static_cast<int>(judge(e)) == i);
      ++seen[i];
    }
    CHECK(matching == 1);
  }
  for (const int count : seen) CHECK(count > 0);
}

TEST_CASE("damage_with_later_evidence_is_never_torn") {
  FrameEvidence e;
  e.later = true;
  for (const bool old_blocks : {false, true}) {
    e.old_blocks = old_blocks;
    CHECK(judge(e) == Verdict::kDamaged);
  }
}
