// The three matrix products of a convolution, on windows copied side by side (im2col) a few at a time.
#pragma once

#include <deltarule/engine/gemm.h>

#include "window.h"

namespace deltarule::engine {

template <class T>
class ConvolutionProducts {
 public:
  explicit ConvolutionProducts(const Window& window)
      : window_(window),
        channels_(window.in.channels),
        filters_(window.out.channels),
        windows_(window.out.height * window.out.width),
        places_(window.height * window.width),
        inner_(places_ * channels_),
        by_place_(channels_ == 1 && window.step_right == 1) {
    // A chunk of patches stays in the second cache; small images go together, for longer products.
    const std::ptrdiff_t most = std::max<std::ptrdiff_t>(16, 32768 / inner_);
    images_ = std::max<std::ptrdiff_t>(1, std::min<std::ptrdiff_t>(96, most) / windows_);
    chunk_ = images_ > 1 ? windows_ : std::min(windows_, most);
    in_place_ = images_ == 1 && places_ == 1 && window.step_down == 1 && window.step_right == 1;
  }

  Places all() const { return {0, places_}; }
  std::ptrdiff_t inner() const { return inner_; }
  std::ptrdiff_t windows() const { return windows_; }

  // z = start + patches(x) W for rows [begin, end).
  void forward(View<T> x, View<T> z, std::ptrdiff_t begin, std::ptrdiff_t end, const T* weight, Start start,
               const T* bias, bool relu, T* scratch) const {
    each_chunk(begin, end, [&](const Chunk& chunk) {
      const Patches a = in_place_ ? Patches{x.at(chunk.row) + chunk.first * channels_, channels_, 1}
                                  : patches(x, chunk, all(), false, scratch);
      T* const own = outputs(scratch);
      if (images_ > 1 && start == Start::accumulate) collect(z, chunk, own);
      multiply<T>({.m = chunk.windows(),
                   .n = filters_,
                   .k = inner_,
                   .a = a.data,
                   .a_row = a.row,
                   .a_step = a.step,
                   .b = weight,
                   .b_step = filters_,
                   .c = images_ > 1 ? own : z.at(chunk.row) + chunk.first * filters_,
                   .c_row = filters_,
                   .start = start,
                   .bias = bias,
                   .relu = relu},
                  workspace(scratch));
      for (std::ptrdiff_t i = 0; images_ > 1 && i < chunk.images; ++i)
        std::copy_n(own + i * windows_ * filters_, windows_ * filters_, z.at(chunk.row + i));
    });
  }

  // dx += what the windows give back of dz B for rows [begin, end); B(f, j) = b[f b_step + j b_column] is
  // W^T.
  void input_gradient(View<T> dz, View<T> dx, std::ptrdiff_t begin, std::ptrdiff_t end, const T* b,
                      std::ptrdiff_t b_step, std::ptrdiff_t b_column, T* scratch) const {
    each_chunk(begin, end, [&](const Chunk& chunk) {
      T* const target = in_place_ ? dx.at(chunk.row) + chunk.first * channels_ : scratch;
      multiply<T>({.m = chunk.windows(),
                   .n = inner_,
                   .k = filters_,
                   .a = gradients(dz, chunk, scratch),
                   .a_row = filters_,
                   .b = b,
                   .b_step = b_step,
                   .b_column = b_column,
                   .c = target,
                   .c_row = inner_,
                   .start = in_place_ ? Start::accumulate : Start::zero},
                  workspace(scratch));
      for (std::ptrdiff_t i = 0; !in_place_ && i < chunk.images; ++i)
        scatter(window_, scratch + i * windows_ * inner_, inner_, chunk.first, chunk.count,
                dx.at(chunk.row + i));
    });
  }

  // The gradient of the weights at some places by rows [begin, end), the weights of a channel side by side;
  // with `sums` followed by that of the bias.
  void weight_gradient(View<T> x, View<T> dz, std::ptrdiff_t begin, std::ptrdiff_t end, Places places,
                       bool sums, T* out, Start start, T* scratch) const {
    each_chunk(begin, end, [&](const Chunk& chunk) {
      const Patches a = patches(x, chunk, places, sums, scratch);
      multiply<T>({.m = places.count() * channels_ + sums,
                   .n = filters_,
                   .k = chunk.windows(),
                   .a = a.data,
                   .a_row = a.step,
                   .a_step = a.row,
                   .b = gradients(dz, chunk, scratch),
                   .b_step = filters_,
                   .c = out,
                   .c_row = filters_,
                   .start = start},
                  workspace(scratch));
      start = Start::accumulate;
    });
  }

  std::size_t scratch_size() const {
    const std::ptrdiff_t most = images_ * chunk_;
    return static_cast<std::size_t>(patches_size() + outputs_size()) +
           std::max({workspace_size<T>(most, filters_, inner_), workspace_size<T>(most, inner_, filters_),
                     workspace_size<T>(inner_ + 1, filters_, most)});
  }

 private:
  struct Chunk {
    std::ptrdiff_t row, images, first, count;  // windows first .. first + count - 1 of every image
    std::ptrdiff_t windows() const { return images * count; }
  };
  // Element (window, place and channel) is data[window row + (place, channel) step].
  struct Patches {
    const T* data;
    std::ptrdiff_t row, step;
  };
  template <class F>
  void each_chunk(std::ptrdiff_t begin, std::ptrdiff_t end, F&& f) const {
    for (std::ptrdiff_t row = begin; row < end; row += images_)
      for (std::ptrdiff_t first = 0; first < windows_; first += chunk_)
        f(Chunk{row, std::min(images_, end - row), first, std::min(chunk_, windows_ - first)});
  }

  // With `ones` every window sees a 1 after its last place.
  Patches patches(View<T> x, const Chunk& chunk, Places places, bool ones, T* out) const {
    const std::ptrdiff_t width = places.count() * channels_, row = width + ones;
    if (by_place_) {
      for (std::ptrdiff_t i = 0; i < chunk.images; ++i)
        gather_by_place(window_, x.at(chunk.row + i), chunk.first, chunk.count, places, out + i * windows_,
                        line());
      if (ones) std::fill_n(out + width * line(), chunk.windows(), T(1));
      return {out, 1, line()};
    }
    for (std::ptrdiff_t i = 0; i < chunk.images; ++i)
      gather(window_, x.at(chunk.row + i), chunk.first, chunk.count, places, out + i * windows_ * row, row);
    for (std::ptrdiff_t n = 0; ones && n < chunk.windows(); ++n) out[n * row + width] = T(1);
    return {out, row, 1};
  }
  // A line of dz for every window.
  const T* gradients(View<T> dz, const Chunk& chunk, T* scratch) const {
    if (images_ == 1) return dz.at(chunk.row) + chunk.first * filters_;
    collect(dz, chunk, outputs(scratch));
    return outputs(scratch);
  }
  void collect(View<T> z, const Chunk& chunk, T* out) const {
    for (std::ptrdiff_t i = 0; i < chunk.images; ++i)
      std::copy_n(z.at(chunk.row + i), windows_ * filters_, out + i * windows_ * filters_);
  }

  static std::ptrdiff_t aligned(std::ptrdiff_t elements) { return (elements + 31) / 16 * 16; }
  std::ptrdiff_t line() const { return images_ * chunk_ + 16; }  // of patches by place; no power of two
  std::ptrdiff_t patches_size() const {
    return aligned(by_place_ ? (inner_ + 1) * line() : (inner_ + 1) * images_ * chunk_);
  }
  std::ptrdiff_t outputs_size() const { return images_ > 1 ? aligned(images_ * windows_ * filters_) : 0; }
  T* outputs(T* scratch) const { return scratch + patches_size(); }
  T* workspace(T* scratch) const { return outputs(scratch) + outputs_size(); }

  Window window_;
  std::ptrdiff_t channels_, filters_, windows_, places_, inner_;
  bool by_place_;                  // how the patches lie
  std::ptrdiff_t images_, chunk_;  // in a chunk: images, windows of each
  bool in_place_;                  // the image is its own patches
};

}  // namespace deltarule::engine
