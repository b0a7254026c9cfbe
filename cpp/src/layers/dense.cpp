#include <deltarule/layers/dense.h>

#include <deltarule/engine/affine.h>
#include <deltarule/engine/squares.h>

#include "common.h"
#include "dense_op.h"

namespace deltarule {
namespace engine {

template class DenseBase<float>;
template class DenseBase<double>;

namespace {

// Its gradient by one row is the outer product of x and g, whose norm is the product of theirs.
template <class T>
class DenseOp final : public DenseBase<T>, public Affine<T> {
 public:
  using DenseBase<T>::DenseBase;
  typename Affine<T>::Map map() const override { return {this->in_, this->out_, this->w_, this->b_}; }
  void use(const Bfloat16Matrix* rounded) override { this->rounded_ = rounded; }
  bool has_row_norms() const override { return true; }
  void add_row_norms(const Context<T>& c, const Tile& tile, double* squared) override {
    const auto x = value_of(c, this->in_), g = gradient_of(c, this->out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      squared[i] += (squared_norm(x.at(i), this->inputs_) + (this->b_.data ? 1 : 0)) *
                    squared_norm(g.at(i), this->outputs_);
  }
  void scale_rows(const Context<T>& c, const Tile& tile, const double* factors) override {
    const auto g = gradient_of(c, this->out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      for (std::ptrdiff_t j = 0; j < this->outputs_; ++j)
        g.at(i)[j] = static_cast<T>(static_cast<double>(g.at(i)[j]) * factors[i]);
  }
};

}  // namespace
}  // namespace engine

std::ptrdiff_t Dense::build(std::ptrdiff_t) { return static_cast<std::ptrdiff_t>(value("units")); }

std::vector<Tensor> Dense::tensors() const {
  const Fans fans{static_cast<double>(input_width()), static_cast<double>(output_width())};
  std::vector<Tensor> list;
  list.push_back({.name = "weight",
                  .rows = input_width(),
                  .columns = output_width(),
                  .initializer = initializer("initializer"),
                  .fans = fans});
  if (value("use_bias") != 0)
    list.push_back({.name = "bias",
                    .rows = 1,
                    .columns = output_width(),
                    .vector = true,
                    .role = Role::bias,
                    .initializer = initializer("bias_initializer"),
                    .fans = fans});
  return list;
}

template <class T>
engine::DenseParts<T> Dense::prepare(engine::Lowering<T>& lowering, const std::string& prefix) const {
  engine::DenseParts<T> made{.in = lowering.input,
                             .pre = {},
                             .out = {},
                             .activation = part("activation"),
                             .weight = lowering.parameter(prefix + "weight"),
                             .bias = {},
                             .training = lowering.training,
                             .batch_rows = lowering.batch_rows,
                             .home = lowering.home};
  if (value("use_bias") != 0) made.bias = lowering.parameter(prefix + "bias");
  lowering.now_trainable();
  made.pre = made.out = lowering.new_slot(output_width());
  if (made.training && engine::AppliedActivation<T>(made.activation).backward_reads_input())
    made.pre = lowering.new_value(made.out);
  return made;
}
template engine::DenseParts<float> Dense::prepare(engine::Lowering<float>&, const std::string&) const;
template engine::DenseParts<double> Dense::prepare(engine::Lowering<double>&, const std::string&) const;

template <class T>
void Dense::lower_to(engine::Lowering<T>& lowering) const {
  const engine::DenseParts<T> made = prepare(lowering);
  lowering.add(std::make_unique<engine::DenseOp<T>>(made));
  lowering.input = made.out;
}
template void Dense::lower_to(engine::Lowering<float>&) const;
template void Dense::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
