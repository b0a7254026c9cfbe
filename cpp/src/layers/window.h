// Windows on images: their geometry, and the copy of what they see.
#pragma once

#include <deltarule/layers/convolution.h>
#include <deltarule/simd/span.h>

#include "common.h"

namespace deltarule::engine {

// Throws std::invalid_argument, naming the layer, when the shape is not known or no window fits.
Window make_window(std::string_view layer, Shape in, const std::vector<std::ptrdiff_t>& size,
                   const std::vector<std::ptrdiff_t>& steps, bool same, std::ptrdiff_t channels);

// The part of [0, length) that lies in [0, limit) after a shift by `at`.
struct Part {
  std::ptrdiff_t begin, end;
};
inline Part inside(std::ptrdiff_t at, std::ptrdiff_t length, std::ptrdiff_t limit) {
  const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(-at, 0, length);
  return {begin, std::clamp<std::ptrdiff_t>(limit - at, begin, length)};
}

// Places [begin, end) of the window, numbered line by line.
struct Places {
  std::ptrdiff_t begin, end;
  std::ptrdiff_t count() const { return end - begin; }
};

// f(number of the first window from 0, line u, column v, windows) for the windows first .. first + count - 1
// of an image, cut into pieces of one line of the output.
template <class F>
void each_line(const Window& w, std::ptrdiff_t first, std::ptrdiff_t count, F&& f) {
  for (std::ptrdiff_t n = 0; n < count;) {
    const std::ptrdiff_t u = (first + n) / w.out.width, v = (first + n) % w.out.width,
                         some = std::min(count - n, w.out.width - v);
    f(n, u, v, some);
    n += some;
  }
}
// f(number of the first place from 0, line a, column b, places), cut into pieces of one line of the window.
template <class F>
void each_stretch(const Window& w, Places places, F&& f) {
  for (std::ptrdiff_t place = places.begin; place < places.end;) {
    const std::ptrdiff_t a = place / w.width, b = place % w.width,
                         some = std::min(places.end - place, w.width - b);
    f(place - places.begin, a, b, some);
    place += some;
  }
}

template <class T>
void copy_few(const T* from, std::ptrdiff_t n, T* to) {
  using P = simd::Pack<T>;
  if (n < P::width) return P::load_partial(from, static_cast<int>(n)).store_partial(to, static_cast<int>(n));
  for (std::ptrdiff_t i = 0; i < n - P::width; i += P::width) P::load(from + i).store(to + i);
  P::load(from + n - P::width).store(to + n - P::width);  // overlaps the one before
}

// Windows [0, begin) and [end, windows) of a line, whose first column is j, reach beyond the image.
inline Part whole_windows(const Window& w, std::ptrdiff_t j, std::ptrdiff_t places, std::ptrdiff_t windows) {
  const std::ptrdiff_t step = w.step_right, last = w.in.width - places - j;
  const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>((step - 1 - j) / step, 0, windows);
  return {begin, last < 0 ? begin : std::clamp<std::ptrdiff_t>(last / step + 1, begin, windows)};
}

// What the windows see: a line of `row` elements for every window, place by place; zeros beyond the image.
template <class T>
void gather(const Window& w, const T* image, std::ptrdiff_t first, std::ptrdiff_t count, Places places,
            T* out, std::ptrdiff_t row) {
  const std::ptrdiff_t channels = w.in.channels;
  each_line(w, first, count, [&](auto n, auto u, auto v, auto windows) {
    each_stretch(w, places, [&](auto place, auto a, auto b, auto some) {
      const std::ptrdiff_t i = u * w.step_down + a - w.above, j = v * w.step_right + b - w.left,
                           step = w.step_right * channels, size = some * channels;
      T* to = out + n * row + place * channels;
      if (i < 0 || i >= w.in.height) {
        for (std::ptrdiff_t k = 0; k < windows; ++k, to += row) std::fill_n(to, size, T(0));
        return;
      }
      const T* from = image + (i * w.in.width + j) * channels;
      const Part whole = whole_windows(w, j, some, windows);
      const auto cut = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t k = begin; k < end; ++k) {
          const Part part = inside(j + k * w.step_right, some, w.in.width);
          std::fill(to + k * row, to + k * row + size, T(0));
          std::copy(from + k * step + part.begin * channels, from + k * step + part.end * channels,
                    to + k * row + part.begin * channels);
        }
      };
      cut(0, whole.begin);
      for (std::ptrdiff_t k = whole.begin; k < whole.end; ++k) copy_few(from + k * step, size, to + k * row);
      cut(whole.end, windows);
    });
  });
}

// The same of one channel, steps of one to the right: a line of `row` elements for every place.
template <class T>
void gather_by_place(const Window& w, const T* image, std::ptrdiff_t first, std::ptrdiff_t count,
                     Places places, T* out, std::ptrdiff_t row) {
  each_line(w, first, count, [&](auto n, auto u, auto v, auto windows) {
    each_stretch(w, places, [&](auto place, auto a, auto b, auto some) {
      const std::ptrdiff_t i = u * w.step_down + a - w.above;
      T* to = out + place * row + n;
      for (std::ptrdiff_t j = v + b - w.left, end = j + some; j < end; ++j, to += row) {
        const Part part = i < 0 || i >= w.in.height ? Part{0, 0} : inside(j, windows, w.in.width);
        if (part.begin > 0 || part.end < windows) std::fill_n(to, windows, T(0));
        if (part.end > part.begin)
          copy_few(image + i * w.in.width + j + part.begin, part.end - part.begin, to + part.begin);
      }
    });
  });
}

// Adds what every window gives back, lines as `gather` writes them, to its pixels.
template <class T>
void scatter(const Window& w, const T* in, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t count,
             T* image) {
  const std::ptrdiff_t channels = w.in.channels;
  each_line(w, first, count, [&](auto n, auto u, auto v, auto windows) {
    for (std::ptrdiff_t a = 0; a < w.height; ++a) {
      const std::ptrdiff_t i = u * w.step_down + a - w.above;
      if (i < 0 || i >= w.in.height) continue;
      std::ptrdiff_t j = v * w.step_right - w.left;
      const T* from = in + n * row + a * w.width * channels;
      for (std::ptrdiff_t k = 0; k < windows; ++k, from += row, j += w.step_right) {
        const Part part = inside(j, w.width, w.in.width);
        T* const to = image + (i * w.in.width + j + part.begin) * channels;
        simd::each<T>(static_cast<std::size_t>((part.end - part.begin) * channels), [&](auto span) {
          span.store(to, span.load(to) + span.load(from + part.begin * channels));
        });
      }
    }
  });
}

}  // namespace deltarule::engine
