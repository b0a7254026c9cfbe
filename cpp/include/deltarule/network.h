// A network: layers, and the flat buffers that hold everything they learn.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

struct NetworkSpec {
  std::uint64_t seed = 0;
  std::vector<LayerSpec> layers = {};
  std::ptrdiff_t input_width = 0;  // 0: not built yet
};

template <class T>
class Network {
 public:
  // Throws std::invalid_argument for unknown layers, names and settings; builds when the spec has an input
  // width.
  explicit Network(const NetworkSpec& spec);
  Network(const Network& other);
  // A network whose arrays are about to be filled from a file: nothing is drawn, and no more than `most`
  // numbers are allocated (throws std::length_error).
  static Network for_loading(const NetworkSpec& spec, std::ptrdiff_t most);
  // What was moved from has no layers and is not built.
  Network(Network&& other) noexcept { *this = std::move(other); }
  Network& operator=(Network&& other) noexcept {
    seed_ = other.seed_;
    layers_ = std::exchange(other.layers_, {});
    tensors_ = std::exchange(other.tensors_, {});
    input_width_ = std::exchange(other.input_width_, 0);
    output_width_ = std::exchange(other.output_width_, 0);
    parameters_ = std::exchange(other.parameters_, {});
    gradients_ = std::exchange(other.gradients_, {});
    statistics_ = std::exchange(other.statistics_, {});
    adapted_ = std::exchange(other.adapted_, false);
    return *this;
  }

  // Fixes all shapes, allocates, and draws the initial parameters from the seed.
  void build(std::ptrdiff_t input_width);
  bool built() const { return input_width_ > 0; }
  // What is learned from the data before training: mean and deviation for every Standardize layer, the scale
  // of weights that the initializer lsuv drew and nobody changed since; `row` elements from row to row,
  // `index`: which of them, if not all. Throws std::invalid_argument, before anything changes, where the
  // network is not built, there are no rows, or they are not finite.
  void adapt(std::ptrdiff_t rows, const T* x, std::ptrdiff_t row, const std::uint32_t* index = nullptr);
  bool adapts() const;
  // Whether adapt was called, or Standardize layers hold other numbers than new ones.
  bool adapted() const;
  void set_adapted() { adapted_ = true; }  // of numbers that came from elsewhere
  // The first Standardize layer that has no mean and deviation yet; empty where none waits for them.
  std::string waits_for_data() const;

  // Throws std::invalid_argument when these rows are not what the first layer can read (indices).
  void check_input(std::ptrdiff_t rows, const T* x, std::ptrdiff_t row) const {
    if (layers_.empty()) throw std::invalid_argument("network: it was moved away");
    layers_.front()->check_input(rows, x, row);
  }

  std::ptrdiff_t input_width() const { return input_width_; }
  std::ptrdiff_t output_width() const { return output_width_; }
  std::uint64_t seed() const { return seed_; }
  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  NetworkSpec spec() const;

  std::span<T> parameters() { return parameters_.span(); }
  std::span<const T> parameters() const { return parameters_.span(); }
  std::span<T> statistics() { return statistics_.span(); }
  std::span<const T> statistics() const { return statistics_.span(); }
  // Filled by backward(), or by a training step whose update is not fused; allocated at the first call.
  std::span<T> gradients();
  // Every array with its place in the flat buffer; name is "layer.array".
  const std::vector<Tensor>& tensors() const { return tensors_; }
  // Throws std::invalid_argument when there is none of this name ("dense_1.weight").
  std::span<T> tensor(std::string_view name);

 private:
  Network() = default;
  void make_layers(const NetworkSpec& spec);
  void build(std::ptrdiff_t input_width, bool draw, std::ptrdiff_t most);
  std::uint64_t seed_ = 0;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<Tensor> tensors_;
  std::ptrdiff_t input_width_ = 0, output_width_ = 0;
  engine::Buffer<T> parameters_, gradients_, statistics_;
  bool adapted_ = false;
};

extern template class Network<float>;
extern template class Network<double>;

}  // namespace deltarule
