#include <deltarule/engine/tangent.h>
#include <deltarule/layers/normalization.h>
#include <deltarule/norm_kernel.h>
#include <deltarule/simd/span.h>
#include <cmath>

#include "normalization_tangent.h"

#include "common.h"

namespace deltarule {
namespace engine {
namespace {

template <class T>
class BatchNormOp final : public Op<T>, public Tangent<T> {
 public:
  BatchNormOp(Slot in, Slot out, Parameter<T> gain, Parameter<T> shift, T* mean, T* variance, double momentum,
              double epsilon, bool unbiased, bool training)
      : in_(in),
        out_(out),
        gain_(gain),
        shift_(shift),
        running_mean_(mean),
        running_variance_(variance),
        momentum_(momentum),
        epsilon_(epsilon),
        unbiased_(unbiased),
        training_(training),
        width_(in.columns),
        row_(padded<T>(in.columns) + static_cast<std::ptrdiff_t>(alignment / sizeof(T))) {}
  std::string describe() const override { return "batch_norm " + std::to_string(width_); }

  bool needs_batch() const override { return training_; }
  void reserve(std::ptrdiff_t, int tiles) override {
    tiles_ = Buffer<T>(static_cast<std::size_t>(4 * row_ * tiles));
    combined_ = Buffer<T>(static_cast<std::size_t>(5 * row_));
    counts_.assign(static_cast<std::size_t>(tiles), 0);
  }

  void collect(const Context<T>& c, const Tile& tile) override {
    counts_[static_cast<std::size_t>(tile.index)] = static_cast<double>(tile.rows());
    column_moments<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin), part(tile.index, 0),
                      part(tile.index, 1));
  }
  void combine(const Context<T>& c) override {
    T *mean = whole(0), *deviations = whole(1), *inverse = whole(2);
    const int tiles = c.tiles();
    std::copy_n(part(0, 0), width_, mean);
    std::copy_n(part(0, 1), width_, deviations);
    double count = counts_[0];
    for (int i = 1; i < tiles; ++i) {
      merge_moments<T>(width_, count, mean, deviations, counts_[static_cast<std::size_t>(i)], part(i, 0),
                       part(i, 1));
      count += counts_[static_cast<std::size_t>(i)];
    }
    for (std::ptrdiff_t j = 0; j < width_; ++j)
      inverse[j] = static_cast<T>(1 / std::sqrt(static_cast<double>(deviations[j]) / count + epsilon_));
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> y = value_of(c, out_);
    const View<const T> x = rows_of(value_of(c, in_), tile.begin);
    if (c.training) {
      normalize_columns<T>(tile.rows(), width_, x, whole(0), whole(2), gain_.data, shift_.data,
                           {y.at(tile.begin), y.row});
    } else {
      T* inverse = c.scratch;
      for (std::ptrdiff_t j = 0; j < width_; ++j)
        inverse[j] = static_cast<T>(1 / std::sqrt(static_cast<double>(running_variance_[j]) + epsilon_));
      normalize_columns<T>(tile.rows(), width_, x, running_mean_, inverse, gain_.data, shift_.data,
                           {y.at(tile.begin), y.row});
    }
  }

  void collect_backward(const Context<T>& c, const Tile& tile) override {
    batch_norm_sums<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin),
                       rows_of(gradient_of(c, out_), tile.begin), whole(0), whole(2), part(tile.index, 2),
                       part(tile.index, 3));
  }
  void combine_backward(const Context<T>& c) override {
    const int tiles = c.tiles();
    for (int k = 0; k < 2; ++k) {
      T* total = whole(3 + k);
      std::copy_n(part(0, 2 + k), width_, total);
      for (int i = 1; i < tiles; ++i)
        for (std::ptrdiff_t j = 0; j < width_; ++j) total[j] += part(i, 2 + k)[j];
    }
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const View<T> dx = gradient_of(c, in_);
    batch_norm_input<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin),
                        rows_of(gradient_of(c, out_), tile.begin), whole(0), whole(2), gain_.data, whole(3),
                        whole(4), static_cast<double>(c.rows), {dx.at(tile.begin), dx.row});
  }

  void learn_statistics(const Context<T>& c) override {
    const double count = static_cast<double>(c.rows), divisor = unbiased_ && count > 1 ? count - 1 : count;
    const auto blend = [&](T old, double batch) {
      return static_cast<T>(momentum_ * static_cast<double>(old) + (1 - momentum_) * batch);
    };
    for (std::ptrdiff_t j = 0; j < width_; ++j) {
      running_mean_[j] = blend(running_mean_[j], static_cast<double>(whole(0)[j]));
      running_variance_[j] = blend(running_variance_[j], static_cast<double>(whole(1)[j]) / divisor);
    }
  }
  int weight_tasks() const override { return 1; }
  void weight_task(const Context<T>& c, int) override {
    const Update<T>& update = *c.update;
    if (update.keep_statistics) learn_statistics(c);
    finish_gradient(*this, update, gain_.offset, width_, whole(4));
    finish_gradient(*this, update, shift_.offset, width_, whole(3));
  }
  NormTangent<T> norm(const Context<T>& c) const {
    return {c.rows, width_, true, epsilon_, gain_.data, gain_.offset, shift_.offset};
  }
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).forward(value_of(c, in_), t.value(in_), t.value(out_), t.direction);
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).backward(value_of(c, in_), t.value(in_), gradient_of(c, out_), t.gradient(out_),
                     in_.has_gradient() ? t.gradient(in_) : View<T>{}, t.direction, t.product);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override { return static_cast<std::size_t>(row_); }

 private:
  T* part(int tile, int which) { return tiles_.data() + (4 * tile + which) * row_; }
  T* whole(int which) { return combined_.data() + which * row_; }

  Slot in_, out_;
  Parameter<T> gain_, shift_;
  T *running_mean_, *running_variance_;
  double momentum_, epsilon_;
  bool unbiased_, training_;
  std::ptrdiff_t width_, row_;
  Buffer<T> tiles_;     // per tile: mean, squared deviations, sum of dy, sum of dy * x-hat
  Buffer<T> combined_;  // mean, squared deviations, inverse deviation, the two sums
  std::vector<double> counts_;
};

template <class T>
class LayerNormOp final : public Op<T>, public Tangent<T> {
 public:
  LayerNormOp(Slot in, Slot out, Parameter<T> gain, Parameter<T> shift, double epsilon)
      : in_(in), out_(out), gain_(gain), shift_(shift), epsilon_(epsilon), width_(in.columns) {}
  std::string describe() const override { return "layer_norm " + std::to_string(width_); }
  void reserve(std::ptrdiff_t max_rows, int) override {
    mean_ = Buffer<T>(static_cast<std::size_t>(max_rows));
    inverse_ = Buffer<T>(static_cast<std::size_t>(max_rows));
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> y = value_of(c, out_);
    // Inference goes tile by tile on several threads: the statistics of a row are then of no further use.
    T* mean = c.training ? mean_.data() + tile.begin : c.scratch;
    T* inverse = c.training ? inverse_.data() + tile.begin : c.scratch + tile.rows();
    layer_norm_forward<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin), gain_.data, shift_.data,
                          epsilon_, {y.at(tile.begin), y.row}, mean, inverse);
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const View<T> dx = gradient_of(c, in_);
    layer_norm_input<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin),
                        rows_of(gradient_of(c, out_), tile.begin), gain_.data, mean_.data() + tile.begin,
                        inverse_.data() + tile.begin, {dx.at(tile.begin), dx.row});
  }
  int weight_tasks() const override { return 1; }
  void weight_task(const Context<T>& c, int) override {
    const Update<T>& update = *c.update;
    T* dgain = update.fused ? c.scratch : update.gradients + gain_.offset;
    T* dshift = update.fused ? c.scratch + padded<T>(width_) : update.gradients + shift_.offset;
    layer_norm_parameters<T>(c.rows, width_, rows_of(value_of(c, in_), 0), rows_of(gradient_of(c, out_), 0),
                             mean_.data(), inverse_.data(), dgain, dshift);
    finish_gradient(*this, update, gain_.offset, width_, dgain);
    finish_gradient(*this, update, shift_.offset, width_, dshift);
  }
  NormTangent<T> norm(const Context<T>& c) const {
    return {c.rows, width_, false, epsilon_, gain_.data, gain_.offset, shift_.offset};
  }
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).forward(value_of(c, in_), t.value(in_), t.value(out_), t.direction);
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).backward(value_of(c, in_), t.value(in_), gradient_of(c, out_), t.gradient(out_),
                     in_.has_gradient() ? t.gradient(in_) : View<T>{}, t.direction, t.product);
  }
  std::size_t scratch_size(std::ptrdiff_t rows) const override {
    return static_cast<std::size_t>(2 * std::max(padded<T>(width_), rows)) + 16;
  }

 private:
  Slot in_, out_;
  Parameter<T> gain_, shift_;
  double epsilon_;
  std::ptrdiff_t width_;
  Buffer<T> mean_, inverse_;
};

template <class T>
class StandardizeOp final : public Op<T>, public Tangent<T> {
 public:
  StandardizeOp(Slot in, Slot out, const T* mean, const T* deviation)
      : in_(in), out_(out), mean_(mean), deviation_(deviation), width_(in.columns) {}
  std::string describe() const override { return "standardize " + std::to_string(width_); }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(width_), [&](auto span) {
        span.store(y.at(i), (span.load(x.at(i)) - span.load(mean_)) / span.load(deviation_));
      });
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!out_.has_gradient()) return;
    const View<T> g = gradient_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(width_),
                    [&](auto span) { span.store(g.at(i), span.load(g.at(i)) / span.load(deviation_)); });
  }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j)
        t.value(out_).at(i)[j] = t.value(in_).at(i)[j] / deviation_[j];
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (!out_.has_gradient()) return;
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j) t.gradient(out_).at(i)[j] /= deviation_[j];
  }

 private:
  Slot in_, out_;
  const T *mean_, *deviation_;
  std::ptrdiff_t width_;
};

}  // namespace
}  // namespace engine

std::vector<Tensor> BatchNorm::tensors() const {
  return {engine::vector_tensor("gain", input_width(), Role::gain, "ones"),
          engine::vector_tensor("shift", input_width(), Role::shift, "zeros"),
          engine::vector_tensor("running_mean", input_width(), Role::statistic, "zeros"),
          engine::vector_tensor("running_variance", input_width(), Role::statistic, "ones",
                                Allowed::not_negative)};
}

template <class T>
void BatchNorm::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  // In place on the gradient, except where the input has none.
  const engine::Slot out = in.has_gradient() ? lowering.new_value(in) : lowering.new_slot(in.columns);
  lowering.add(std::make_unique<engine::BatchNormOp<T>>(
      in, out, lowering.parameter("gain"), lowering.parameter("shift"), lowering.statistic("running_mean"),
      lowering.statistic("running_variance"), value("momentum"), value("epsilon"), value("unbiased") != 0,
      lowering.training));
  lowering.input = out;
}
template void BatchNorm::lower_to(engine::Lowering<float>&) const;
template void BatchNorm::lower_to(engine::Lowering<double>&) const;

std::vector<Tensor> LayerNorm::tensors() const {
  return {engine::vector_tensor("gain", input_width(), Role::gain, "ones"),
          engine::vector_tensor("shift", input_width(), Role::shift, "zeros")};
}

template <class T>
void LayerNorm::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(in.columns);  // dy is needed again, for gain and shift
  lowering.add(std::make_unique<engine::LayerNormOp<T>>(in, out, lowering.parameter("gain"),
                                                        lowering.parameter("shift"), value("epsilon")));
  lowering.input = out;
}
template void LayerNorm::lower_to(engine::Lowering<float>&) const;
template void LayerNorm::lower_to(engine::Lowering<double>&) const;

std::vector<Tensor> Standardize::tensors() const {
  return {engine::vector_tensor("mean", input_width(), Role::statistic, "zeros"),
          engine::vector_tensor("deviation", input_width(), Role::statistic, "ones", Allowed::positive)};
}

template <class T>
void Standardize::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input, out = lowering.new_value(in);
  lowering.add(std::make_unique<engine::StandardizeOp<T>>(in, out, lowering.statistic("mean"),
                                                          lowering.statistic("deviation")));
  lowering.input = out;
}
template void Standardize::lower_to(engine::Lowering<float>&) const;
template void Standardize::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
