#include <deltarule/bfloat16_weights.h>

#include <deltarule/engine/affine.h>
#include <deltarule/engine/plan.h>

#include <algorithm>

namespace deltarule {

Bfloat16Weights::Bfloat16Weights(const Network<float>& network) {
  const engine::Plan<float> plan(network, {});
  for (const auto& op : plan.ops())
    if (const auto* affine = dynamic_cast<const engine::Affine<float>*>(op.get())) {
      const auto map = affine->map();
      if (map.out.columns < least_units) continue;
      matrices_.try_emplace(map.weight.offset, map.in.columns, map.out.columns, map.weight.data,
                            map.out.columns);
    }
}

std::size_t Bfloat16Weights::bytes() const {
  std::size_t sum = 0;
  for (const auto& [offset, matrix] : matrices_) sum += matrix.bytes();
  return sum;
}

const engine::Bfloat16Matrix* Bfloat16Weights::find(std::ptrdiff_t offset) const {
  const auto found = matrices_.find(offset);
  return found == matrices_.end() ? nullptr : &found->second;
}

std::size_t Bfloat16Weights::workspace(std::ptrdiff_t rows) const {
  std::size_t most = 0;
  for (const auto& [offset, matrix] : matrices_)
    most = std::max(most, engine::bfloat16_workspace(rows, matrix.rows()));
  return most;
}

}  // namespace deltarule
