#include <deltarule/layers/dense.h>

#include "dense_op.h"

namespace deltarule {
namespace engine {

template class DenseOp<float>;
template class DenseOp<double>;

}  // namespace engine

std::ptrdiff_t Dense::build(std::ptrdiff_t) { return static_cast<std::ptrdiff_t>(value("units")); }

std::string_view Dense::activation() const {
  return part("activation").index < 0 ? std::string_view{} : part("activation").entry->name;
}

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
                             .training = lowering.training};
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
