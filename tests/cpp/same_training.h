// Two trainings that went the same way.
#pragma once

#include <doctest/doctest.h>

#include "support.h"

namespace support {

template <class T>
void check_same(const Trainer<T>& a, const Trainer<T>& b) {
  CHECK(a.steps_done() == b.steps_done());
  CHECK(same_bits<T>(a.network().parameters(), b.network().parameters()));
  CHECK(same_bits<T>(a.network().statistics(), b.network().statistics()));
  for (int i = 0; i < a.state_count(); ++i) CHECK(same_bits<T>(a.state(i), b.state(i)));
}

}  // namespace support
