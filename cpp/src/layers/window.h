// Windows on images: their geometry, and the copy of what they see.
#pragma once

#include <deltarule/layers/convolution.h>

#include "common.h"

namespace deltarule::engine {

// Throws std::invalid_argument, naming the layer, when the shape is not known or no window fits.
Window make_window(std::string_view layer, Shape in, const std::vector<std::ptrdiff_t>& size,
                   const std::vector<std::ptrdiff_t>& steps, bool same, std::ptrdiff_t channels);

// For the windows first .. first + count - 1 of an image and the places [begin, end) of the window:
// f(number of the window from 0, number of the place from 0, offset of its pixel), the offset -1 outside of
// the image.
template <class F>
void each_pixel(const Window& w, std::ptrdiff_t first, std::ptrdiff_t count, std::ptrdiff_t begin,
                std::ptrdiff_t end, F&& f) {
  for (std::ptrdiff_t n = 0; n < count; ++n) {
    const std::ptrdiff_t top = (first + n) / w.out.width * w.step_down - w.above,
                         side = (first + n) % w.out.width * w.step_right - w.left;
    for (std::ptrdiff_t place = begin; place < end; ++place) {
      const std::ptrdiff_t i = top + place / w.width, j = side + place % w.width;
      const bool inside = i >= 0 && i < w.in.height && j >= 0 && j < w.in.width;
      f(n, place - begin, inside ? (i * w.in.width + j) * w.in.channels : -1);
    }
  }
}

}  // namespace deltarule::engine
