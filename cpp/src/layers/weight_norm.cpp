#include <deltarule/layers/dense.h>
#include <deltarule/layers/weight_norm.h>
#include <cmath>

#include "common.h"
#include "dense_op.h"

namespace deltarule {
namespace engine {
namespace {

constexpr std::ptrdiff_t band_bytes = 262144;

// So many numbers that what comes behind them is aligned.
constexpr std::ptrdiff_t rounded_up(std::ptrdiff_t n) { return (n + 15) / 16 * 16; }

// A dense operation on W = V diag(g / |V|), which training keeps beside V. Inference needs no copy: it scales
// x V instead.
template <class T>
class WeightNormOp final : public DenseBase<T> {
  using P = simd::Pack<T>;
  using Base = DenseBase<T>;
  using Base::b_, Base::inputs_, Base::outputs_, Base::w_;

 public:
  WeightNormOp(const DenseParts<T>& parts, Parameter<T> gain)
      : Base(parts), direction_(parts.weight), gain_(gain) {
    const std::ptrdiff_t fitting = band_bytes / static_cast<std::ptrdiff_t>(sizeof(T)) / inputs_ / 16 * 16;
    band_ = std::min(outputs_, std::clamp<std::ptrdiff_t>(fitting, 16, 512));
    if (!parts.training) return;
    effective_ = Buffer<T>(static_cast<std::size_t>(inputs_ * outputs_));
    inverse_ = Buffer<T>(static_cast<std::size_t>(outputs_));
    w_.data = effective_.data();
  }
  std::string describe() const override { return "weight_norm of " + Base::describe(); }

  void forward(const Context<T>& c, const Tile& tile) override {
    if (training()) return Base::forward(c, tile);
    T* const scale = c.scratch;
    inverse_lengths(0, outputs_, scale);
    simd::each<T>(static_cast<std::size_t>(outputs_),
                  [&](auto span) { span.store(scale, span.load(scale) * span.load(gain_.data)); });
    const View<T> x = value_of(c, this->in_), y = value_of(c, this->out_);
    multiply<T>({.m = tile.rows(),
                 .n = outputs_,
                 .k = inputs_,
                 .a = x.at(tile.begin),
                 .a_row = x.row,
                 .b = direction_.data,
                 .b_step = outputs_,
                 .c = y.at(tile.begin),
                 .c_row = y.row},
                scale + rounded_up(outputs_));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(outputs_), [&](auto span) {
        const P bias = b_.data ? span.load(b_.data) : P::zero();
        span.store(y.at(i), simd::fma(span.load(y.at(i)), span.load(scale), bias));
      });
    if (this->activation_.none()) return;
    const View<T> rows{y.at(tile.begin), y.row};
    this->activation_.forward(tile.rows(), outputs_, rows, rows);
  }

  int weight_tasks() const override { return static_cast<int>(pieces(outputs_, band_)); }
  // All that belongs to some neighbouring units: from dW to the gradients of V and g.
  void weight_task(const Context<T>& c, int task) override {
    const std::ptrdiff_t j = task * band_, columns = std::min(band_, outputs_ - j);
    const View<T> x = value_of(c, this->in_), dz = gradient_of(c, this->out_);
    const Update<T>& update = *c.update;
    T *const dgain = c.scratch, *const dbias = dgain + rounded_up(band_);
    T* const own = dbias + rounded_up(band_);
    T* const dw = update.fused ? own : update.gradients + direction_.offset + j;
    const std::ptrdiff_t row = update.fused ? rounded_up(columns) : outputs_;
    multiply<T>({.m = inputs_,
                 .n = columns,
                 .k = c.rows,
                 .a = x.data,
                 .a_row = 1,
                 .a_step = x.row,
                 .b = dz.data + j,
                 .b_step = dz.row,
                 .c = dw,
                 .c_row = row},
                own + (update.fused ? inputs_ * rounded_up(band_) : 0));
    const T *const v = direction_.data + j, *const inverse = inverse_.data() + j;
    column_sums<T>(inputs_, columns, dgain, [&](std::ptrdiff_t i, auto span) {
      return span.load(dw + i * row) * (span.load(v + i * outputs_) * span.load(inverse));
    });
    simd::each<T>(static_cast<std::size_t>(columns), [&](auto span) {
      const P unit = span.load(inverse), scale = unit * span.load(gain_.data + j),
              along = unit * span.load(dgain);
      for (std::ptrdiff_t i = 0; i < inputs_; ++i)
        span.store(dw + i * row, scale * (span.load(dw + i * row) - along * span.load(v + i * outputs_)));
    });
    if (b_.data)
      column_sums<T>(c.rows, columns, dbias,
                     [&](std::ptrdiff_t i, auto span) { return span.load(dz.at(i) + j); });
    if (update.fused && !update.apply(direction_.offset + j, inputs_, columns, outputs_, dw, row))
      update.fail(this->number);
    finish_gradient(*this, update, gain_.offset + j, columns, dgain);
    if (b_.data) finish_gradient(*this, update, b_.offset + j, columns, dbias);
    if (update.fused) refresh_task(task);
  }

  int refresh_tasks() const override { return training() ? weight_tasks() : 0; }
  void refresh_task(int task) override {
    const std::ptrdiff_t j = task * band_, columns = std::min(band_, outputs_ - j);
    inverse_lengths(j, columns, inverse_.data() + j);
    simd::each<T>(static_cast<std::size_t>(columns), [&](auto span) {
      const P scale = span.load(inverse_.data() + j) * span.load(gain_.data + j);
      for (std::ptrdiff_t i = 0; i < inputs_; ++i)
        span.store(w_.data + i * outputs_ + j, scale * span.load(direction_.data + i * outputs_ + j));
    });
    this->transpose_piece(0, inputs_, j, columns);
  }

  std::size_t scratch_size(std::ptrdiff_t rows) const override {
    const auto band = static_cast<std::size_t>(rounded_up(band_));
    return std::max(Base::scratch_size(rows) + static_cast<std::size_t>(rounded_up(outputs_)),
                    (2 + static_cast<std::size_t>(inputs_)) * band + workspace_size<T>(inputs_, band_, rows));
  }

 private:
  // One column, in double: W = g u with u = V / |V|, and their tangents.
  struct Column {
    std::vector<double> u, ru;
    double inverse = 0, rlength = 0, g = 0, rg = 0;
  };
  Column column(const Tangents<T>& t, std::ptrdiff_t j) const {
    Column c{std::vector<double>(static_cast<std::size_t>(inputs_)),
             std::vector<double>(static_cast<std::size_t>(inputs_))};
    double squares = 0;
    for (std::size_t i = 0; i < c.u.size(); ++i) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(i) * outputs_ + j;
      c.u[i] = static_cast<double>(direction_.data[at]);
      c.ru[i] = static_cast<double>(t.direction[direction_.offset + at]);
      squares += c.u[i] * c.u[i];
    }
    c.g = static_cast<double>(gain_.data[j]);
    c.rg = static_cast<double>(t.direction[gain_.offset + j]);
    c.inverse = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (std::size_t i = 0; i < c.u.size(); ++i) {
      c.u[i] *= c.inverse;
      c.rlength += c.u[i] * c.ru[i];
    }
    for (std::size_t i = 0; i < c.u.size(); ++i) c.ru[i] = (c.ru[i] - c.u[i] * c.rlength) * c.inverse;
    return c;
  }
  [[gnu::cold]] const T* weight_direction(const Tangents<T>& t, Buffer<T>& own) const override {
    own = Buffer<T>(static_cast<std::size_t>(inputs_ * outputs_));
    for (std::ptrdiff_t j = 0; j < outputs_; ++j) {
      const Column c = column(t, j);
      for (std::size_t i = 0; i < c.u.size(); ++i)
        own.data()[static_cast<std::ptrdiff_t>(i) * outputs_ + j] =
            static_cast<T>(c.rg * c.u[i] + c.g * c.ru[i]);
    }
    return own.data();
  }
  // The tangents of dg = <dW, u> and dV = g / |V| (dW - u dg).
  [[gnu::cold]] void weight_product(const Context<T>& c, const Tangents<T>& t, View<T> dz,
                                    View<T> rdz) const override {
    Buffer<T> dw(effective_.size()), rdw(effective_.size());
    const View<T> x = value_of(c, this->in_);
    this->add_transposed_product(c.rows, x, dz, Start::zero, dw.data());
    this->add_transposed_product(c.rows, t.value(this->in_), dz, Start::zero, rdw.data());
    this->add_transposed_product(c.rows, x, rdz, Start::accumulate, rdw.data());
    for (std::ptrdiff_t j = 0; j < outputs_; ++j) {
      const Column k = column(t, j);
      const auto at = [&](const Buffer<T>& a, std::size_t i) {
        return static_cast<double>(a.data()[static_cast<std::ptrdiff_t>(i) * outputs_ + j]);
      };
      double d = 0, rd = 0;
      for (std::size_t i = 0; i < k.u.size(); ++i) {
        d += k.u[i] * at(dw, i);
        rd += k.ru[i] * at(dw, i) + k.u[i] * at(rdw, i);
      }
      t.product[gain_.offset + j] = static_cast<T>(rd);
      const double s = k.g * k.inverse, rs = k.rg * k.inverse - s * k.inverse * k.rlength;
      for (std::size_t i = 0; i < k.u.size(); ++i)
        t.product[direction_.offset + static_cast<std::ptrdiff_t>(i) * outputs_ + j] =
            static_cast<T>(rs * (at(dw, i) - k.u[i] * d) + s * (at(rdw, i) - k.ru[i] * d - k.u[i] * rd));
    }
  }

  bool training() const { return effective_.size() > 0; }
  // 1 / |V_j| of some columns; 0 for a column of zeros.
  void inverse_lengths(std::ptrdiff_t first, std::ptrdiff_t columns, T* out) const {
    column_sums<T>(inputs_, columns, out, [&](std::ptrdiff_t i, auto span) {
      const P v = span.load(direction_.data + i * outputs_ + first);
      return v * v;
    });
    simd::each<T>(static_cast<std::size_t>(columns), [&](auto span) {
      const P squares = span.load(out);
      span.store(out, simd::select(squares == P::zero(), P::zero(), P(T(1)) / simd::sqrt(squares)));
    });
  }

  Parameter<T> direction_, gain_;
  std::ptrdiff_t band_ = 0;  // units of a task
  Buffer<T> effective_, inverse_;
};

}  // namespace
}  // namespace engine

WeightNorm::WeightNorm(const LayerSpec& spec) : LayerOf(spec) {
  const std::string_view type = inside()[0][0]->entry().name;
  if (type != Dense::entry.name)
    throw std::invalid_argument("weight_norm: layer is a '" + std::string(type) +
                                "'; allowed: a dense layer");
}

std::ptrdiff_t WeightNorm::merged_width(std::ptrdiff_t, std::span<const std::ptrdiff_t> widths) const {
  return widths[0];
}

Choice WeightNorm::activation() const { return inside()[0][0]->activation(); }

std::vector<Tensor> WeightNorm::tensors() const {
  std::vector<Tensor> list = Composite::tensors();
  Tensor gain = engine::vector_tensor("gain", output_width(), Role::gain, "ones");
  gain.lengths_of = list[0].name;
  list.push_back(std::move(gain));
  return list;
}

template <class T>
void WeightNorm::lower_to(engine::Lowering<T>& lowering) const {
  const auto& dense = static_cast<const Dense&>(*inside()[0][0]);
  const auto parts = dense.prepare(lowering, dense.name() + ".");
  lowering.add(std::make_unique<engine::WeightNormOp<T>>(parts, lowering.parameter("gain")));
  lowering.input = parts.out;
}
template void WeightNorm::lower_to(engine::Lowering<float>&) const;
template void WeightNorm::lower_to(engine::Lowering<double>&) const;

LayerSpec weight_norm(LayerSpec dense) {
  LayerSpec spec{std::string(WeightNorm::entry.name), {}, {}, {}, {}};
  spec.inside.push_back({std::move(dense)});
  return spec;
}

}  // namespace deltarule
