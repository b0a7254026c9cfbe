// Work on large arrays: shared out among the threads in pieces.
#pragma once

#include <deltarule/engine/stream.h>
#include <deltarule/engine/team.h>
#include <pybind11/pybind11.h>
#include <algorithm>

namespace deltarule::bindings {

inline constexpr std::size_t piece = 16384;

// How many pieces are worth a second thread; more where little is done with a number.
inline constexpr std::size_t few = 4, few_cheap = 8;

// f(begin, end) for pieces of 0 .. n - 1
template <class F>
void in_pieces(std::size_t n, std::size_t length, F&& f, std::size_t least = few) {
  const pybind11::gil_scoped_release release;
  const std::size_t pieces = (n + length - 1) / length;
  const int threads = pieces < least ? 1 : std::min(engine::threads(), static_cast<int>(pieces / 2));
  engine::parallel_for(threads, static_cast<int>(pieces), [&](int, int i) {
    const std::size_t begin = static_cast<std::size_t>(i) * length;
    f(begin, std::min(n, begin + length));
  });
}

// Rows of results: f(begin, end, to) makes rows begin .. end - 1, `width` numbers each, in `to`. Where they
// are too large for the caches they go past them, by way of a buffer, unless they take the place of an input.
template <class T, class F>
void make_rows(std::size_t rows, std::size_t width, std::size_t length, T* out, bool in_place, F&& f,
               std::size_t least = few) {
  // So few numbers at a time that the stores of one stripe leave while the next is read.
  constexpr std::size_t stripe = 256, longest = 2048;
  const bool streamed = !in_place && rows * width * sizeof(T) >= engine::streamed_from && width <= longest;
  const auto work = [&](std::size_t begin, std::size_t end) {
    if (!streamed) return f(begin, end, out + begin * width);
    alignas(engine::alignment) T own[longest];
    const std::size_t step = std::max<std::size_t>(1, stripe / width);
    for (std::size_t at = begin; at < end; at += step) {
      const std::size_t next = std::min(end, at + step);
      f(at, next, own);
      engine::stream((next - at) * width, own, out + at * width);
    }
    engine::finish_streams();
  };
  in_pieces(rows, length, work, least);
}

// The same for single numbers, with pieces that begin at a cache line of the result.
template <class T, class F>
void make_elements(std::size_t n, T* out, bool in_place, bool cheap, F&& f) {
  const std::size_t head = std::min(n, engine::to_line(out));
  if (head > 0) f(0, head, out);
  make_rows(
      n - head, 1, piece, out + head, in_place,
      [&](std::size_t begin, std::size_t end, T* to) { f(head + begin, head + end, to); },
      cheap ? few_cheap : few);
}

}  // namespace deltarule::bindings
