// Convolution and pooling as C.
#include <deltarule/layers/convolution.h>

#include "../layers/window.h"
#include "writer.h"

namespace deltarule {
namespace {

// Numbers of the image that the windows along one side see, over all windows.
std::ptrdiff_t seen(std::ptrdiff_t windows, std::ptrdiff_t step, std::ptrdiff_t before, std::ptrdiff_t length,
                    std::ptrdiff_t limit) {
  std::ptrdiff_t sum = 0;
  for (std::ptrdiff_t u = 0; u < windows; ++u) {
    const auto part = engine::inside(u * step - before, length, limit);
    sum += part.end - part.begin;
  }
  return sum;
}

std::string window_arguments(const engine::Window& w) {
  return c_arguments({w.in.height, w.in.width, w.in.channels, w.out.height, w.out.width, w.height, w.width,
                      w.step_down, w.step_right, w.above, w.left});
}
constexpr const char* window_head =
    "size_t height, size_t width, size_t channels, size_t lines, size_t windows, size_t down, size_t right, "
    "size_t step_down, size_t step_right, size_t above, size_t left, ";

// A loop over the numbers of the image that each window sees; `x` points at a pixel, `a` and `b` are its
// place in the window.
std::string each_window(const std::string& before, const std::string& pixel, const std::string& after) {
  return "size_t u, v, a, b, c;\n"
         "for (u = 0; u < lines; ++u)\n"
         "  for (v = 0; v < windows; ++v) {\n" +
         before +
         "    for (a = 0; a < down; ++a) {\n"
         "      const size_t i = u * step_down + a - above;  /* wraps around above the image */\n"
         "      if (i >= height) continue;\n"
         "      for (b = 0; b < right; ++b) {\n"
         "        const size_t j = v * step_right + b - left;\n"
         "        if (j < width) {\n"
         "          const real *at = image + (i * width + j) * channels;\n" +
         pixel + "        }\n" +
         "      }\n"
         "    }\n" +
         after + "  }";
}

}  // namespace

void Conv2D::to_c(CWriter& writer) const {
  const engine::Window& w = window_;
  writer.function(
      "conv_2d",
      "void conv_2d(" + std::string(window_head) +
          "size_t filters, const real *weight, const real *bias, const real *image, real *y)",
      "size_t f;\n" +
          each_window("    real *to = y + (u * windows + v) * filters;\n"
                      "    for (f = 0; f < filters; ++f) to[f] = 0;\n",
                      "          for (c = 0; c < channels; ++c) {\n"
                      "            const real *w = weight + ((a * right + b) * channels + c) * filters;\n"
                      "            for (f = 0; f < filters; ++f) to[f] += at[c] * w[f];\n"
                      "          }\n",
                      "    for (f = 0; f < filters; ++f) to[f] += bias ? bias[f] : 0;\n"));
  const std::string weight = writer.constant("weight"), bias = writer.constant_or_null("bias");
  const int from = writer.input, to = writer.new_value(output_width());
  writer.call("conv_2d", window_arguments(w) + c_arguments({w.out.channels}) + weight + ", " + bias + ", ",
              from, to);
  const std::ptrdiff_t products = seen(w.out.height, w.step_down, w.above, w.height, w.in.height) *
                                  seen(w.out.width, w.step_right, w.left, w.width, w.in.width) *
                                  w.in.channels * w.out.channels;
  writer.cost.multiplications += products;
  writer.cost.additions += products + w.out.size();
  writer.input = writer.activation(part("activation"), to);
}

void MaxPool2D::to_c(CWriter& writer) const {
  writer.function("max_pool_2d",
                  "void max_pool_2d(" + std::string(window_head) + "const real *image, real *y)",
                  each_window("    real *to = y + (u * windows + v) * channels;\n"
                              "    int first = 1;\n",
                              "          for (c = 0; c < channels; ++c)  /* a NaN wins, and stays */\n"
                              "            if (first || at[c] > to[c] || at[c] != at[c]) to[c] = at[c];\n"
                              "          first = 0;\n",
                              ""));
  const int from = writer.input, to = writer.new_value(output_width());
  writer.call("max_pool_2d", window_arguments(window_), from, to);
  writer.input = to;
}

}  // namespace deltarule
