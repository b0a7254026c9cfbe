#include <deltarule/bfloat16_weights.h>

#include <deltarule/engine/affine.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace deltarule {

namespace {

std::vector<engine::AffineOperation<float>> rounded_operations(const engine::Plan<float>& plan) {
  auto found = engine::affine_operations(plan);
  std::erase_if(found, [](const auto& o) { return o.map.out.columns < Bfloat16Weights::least_units; });
  return found;
}

}  // namespace

Bfloat16Weights::Bfloat16Weights(const Network<float>& network) {
  for (const auto& [op, affine, map] : rounded_operations(engine::Plan<float>(network, {})))
    matrices_.try_emplace(map.weight.offset, map.in.columns, map.out.columns, map.weight.data,
                          map.out.columns);
}

void Bfloat16Weights::give_to(const engine::Plan<float>& plan) const {
  for (const auto& [op, affine, map] : rounded_operations(plan)) {
    const auto found = matrices_.find(map.weight.offset);
    if (found == matrices_.end() || found->second.rows() != map.in.columns ||
        found->second.columns() != map.out.columns)
      throw std::invalid_argument("Session: the bfloat16 weights are not those of this network: layer '" +
                                  op->layer + "' has none of " + std::to_string(map.in.columns) + " x " +
                                  std::to_string(map.out.columns));
    affine->use(&found->second);
  }
}

std::size_t Bfloat16Weights::bytes() const {
  std::size_t sum = 0;
  for (const auto& [offset, matrix] : matrices_) sum += matrix.bytes();
  return sum;
}

std::size_t Bfloat16Weights::workspace(std::ptrdiff_t rows) const {
  std::size_t most = 0;
  for (const auto& [offset, matrix] : matrices_)
    most = std::max(most, engine::bfloat16_workspace(rows, matrix.rows()));
  return most;
}

}  // namespace deltarule
