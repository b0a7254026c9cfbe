#include <deltarule/trainer.h>
#include <cmath>

#include "message_text.h"

namespace deltarule {
namespace {

template <class T>
void check_targets(const Network<T>& network, const Choice& loss, const Data<T>& data) {
  const auto& kernel = loss_kernel<T>(loss.index);
  const double low = loss.entry->target_low, high = loss.entry->target_high;
  if (!kernel.signs && !std::isfinite(low) && !std::isfinite(high)) return;
  const std::ptrdiff_t columns = network.output_width() / kernel.outputs_per_target;
  for (std::ptrdiff_t i = 0; i < data.rows * columns; ++i) {
    const std::ptrdiff_t row = data.at(i / columns);
    const auto t = static_cast<double>(data.target[row * columns + i % columns]);
    if (kernel.signs ? std::abs(t) == 1 : !(t < low || t > high)) continue;
    std::string allowed = kernel.signs ? "-1 and 1" : "";
    if (!kernel.signs && std::isfinite(low)) allowed = "at least " + number(low);
    if (!kernel.signs && std::isfinite(high))
      allowed += (allowed.empty() ? "" : " and ") + ("at most " + number(high));
    throw std::invalid_argument("loss '" + std::string(loss.entry->name) + "': target " + number(t) +
                                " in row " + std::to_string(row) + " is not allowed; allowed: " + allowed);
  }
}

}  // namespace

template <class T>
void check_data(const Network<T>& network, const Choice& loss, const Data<T>& data) {
  if (!loss.entry) throw std::invalid_argument("check_data: no loss given; allowed: one of the catalogue");
  if (data.rows < 1 || !data.x) throw std::invalid_argument("trainer: no rows of data given");
  const std::ptrdiff_t width = network.input_width();
  if (!data.index)
    network.check_input(data.rows, data.x, width);
  else
    for (std::ptrdiff_t i = 0; i < data.rows; ++i) network.check_input(1, data.x + data.at(i) * width, width);
  const bool labels = loss.entry->target == Target::label;
  if (labels ? data.label == nullptr : data.target == nullptr)
    throw std::invalid_argument("loss '" + std::string(loss.entry->name) + "' takes " +
                                (labels ? "integer class labels" : "one target per output") + ", but " +
                                (!data.target && !data.label ? "none"
                                 : labels                    ? "target values"
                                                             : "labels") +
                                " were given");
  const std::int32_t ignored = loss_kernel<T>(loss.index).ignored(loss.values);
  if (data.label)
    for (std::ptrdiff_t i = 0; i < data.rows; ++i)
      if (const std::int32_t label = data.label[data.at(i)];
          label != ignored && (label < 0 || label >= network.output_width()))
        throw std::invalid_argument("loss '" + std::string(loss.entry->name) + "': label " +
                                    std::to_string(label) + " in row " + std::to_string(data.at(i)) +
                                    " is not allowed; allowed: 0 to " +
                                    std::to_string(network.output_width() - 1));
  if (data.target) check_targets(network, loss, data);
  if (data.weight)
    for (std::ptrdiff_t i = 0; i < data.rows; ++i)
      if (const T weight = data.weight[data.at(i)]; !(weight >= 0 && std::isfinite(weight)))
        throw std::invalid_argument("trainer: the weight " + number(static_cast<double>(weight)) +
                                    " of row " + std::to_string(data.at(i)) +
                                    " is not allowed; allowed: finite numbers >= 0");
}

template void check_data<float>(const Network<float>&, const Choice&, const Data<float>&);
template void check_data<double>(const Network<double>&, const Choice&, const Data<double>&);

}  // namespace deltarule
