// The threads that teams are made of.
#pragma once

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deltarule::engine {

// Between two looks at what another thread may have changed.
inline void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True in a process that was forked from one whose pool had threads.
bool in_forked_child();

}  // namespace deltarule::engine
