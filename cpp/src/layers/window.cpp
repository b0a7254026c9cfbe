#include "window.h"

namespace deltarule {
namespace engine {
namespace {

struct Pair {
  std::ptrdiff_t down, right;
};
Pair pair_of(const std::vector<std::ptrdiff_t>& list) { return {list.front(), list.back()}; }

// Places of the window along one side, and what is missing of the image before the first.
struct Side {
  std::ptrdiff_t places, before;
};
Side side_of(std::ptrdiff_t size, std::ptrdiff_t window, std::ptrdiff_t step, bool same) {
  if (!same) return {size < window ? 0 : (size - window) / step + 1, 0};
  const std::ptrdiff_t places = (size + step - 1) / step;
  return {places, std::max<std::ptrdiff_t>(0, (places - 1) * step + window - size) / 2};
}

}  // namespace

Window make_window(std::string_view layer, Shape in, const std::vector<std::ptrdiff_t>& size,
                   const std::vector<std::ptrdiff_t>& steps, bool same, std::ptrdiff_t channels) {
  const std::string who = "layer '" + std::string(layer) + "': ";
  if (!in.known())
    throw std::invalid_argument(who +
                                "the shape of its input is not known; put Reshape((height, width, channels)) "
                                "before it");
  const Pair window = pair_of(size), step = pair_of(steps);
  const Side down = side_of(in.height, window.down, step.down, same),
             right = side_of(in.width, window.right, step.right, same);
  if (down.places < 1 || right.places < 1)
    throw std::invalid_argument(
        who + "a window of " + std::to_string(window.down) + " x " + std::to_string(window.right) +
        " does not fit into its input, an image of " + std::to_string(in.height) + " x " +
        std::to_string(in.width) + " x " + std::to_string(in.channels) + "; allowed: at most " +
        std::to_string(in.height) + " x " + std::to_string(in.width) + ", or padding = 'same'");
  return {.in = in,
          .out = {down.places, right.places, channels},
          .height = window.down,
          .width = window.right,
          .step_down = step.down,
          .step_right = step.right,
          .above = down.before,
          .left = right.before};
}

}  // namespace engine

std::ptrdiff_t Reshape::build(std::ptrdiff_t input_width) {
  const auto [height, width, channels] = output_shape();
  if (input_width % height != 0 || input_width / height % width != 0 ||
      input_width / height / width != channels)
    throw std::invalid_argument(
        "layer '" + name() + "': an image of " + std::to_string(height) + " x " + std::to_string(width) +
        " x " + std::to_string(channels) + " does not fit the " + std::to_string(input_width) +
        " columns of its input; allowed: height x width x channels = " + std::to_string(input_width));
  return input_width;
}

Shape Reshape::output_shape() const {
  const auto shape = whole_numbers("shape");
  return {shape[0], shape[1], shape[2]};
}

}  // namespace deltarule
