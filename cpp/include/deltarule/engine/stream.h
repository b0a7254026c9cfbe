// Copies to memory past the caches: for results that are too large for them, so that nothing is read to be
// written over.
#pragma once

#include <deltarule/engine/arena.h>
#include <algorithm>
#include <cstdint>

namespace deltarule::engine {

// Results of this many bytes leave no room for themselves in a usual last-level cache.
inline constexpr std::size_t streamed_from = std::size_t{16} << 20;

// How many elements of T there are from p to the next whole cache line.
template <class T>
std::size_t to_line(const T* p) {
  return (alignment - reinterpret_cast<std::uintptr_t>(p) % alignment) % alignment / sizeof(T);
}

// to[i] = from[i]. Before another thread reads `to`: finish_streams().
template <class T>
void stream(std::size_t n, const T* from, T* to);
void finish_streams();

}  // namespace deltarule::engine
