// The rows of a batch: from the data into the plan, and from its outputs to losses and metrics.
#include <deltarule/metrics.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>

#include "training_run.h"

namespace deltarule {
namespace {

// Without the call that copy_n makes, which for short rows takes longer than the copy.
template <class T>
void copy_row(const T* from, std::ptrdiff_t n, T* to) {
  simd::each<T>(static_cast<std::size_t>(n), [&](auto span) { span.store(to, span.load(from)); });
}

}  // namespace

template <class T>
void Trainer<T>::Run::load(const engine::Tile& tile, engine::View<T> input) {
  if (in_place_) return;
  for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
    copy_row(row(i), width_, input.at(i));
    const auto at = place(i);
    if (data_.label) labels_[static_cast<std::size_t>(i)] = data_.label[at];
    if (data_.target)
      copy_row(data_.target + at * target_width_, target_width_, targets_.data() + i * target_width_);
    if (partner_ > 0) mix(i, input.at(i));
  }
}

template <class T>
LossRows<T> Trainer<T>::Run::batch_rows(engine::View<const T> prediction, std::ptrdiff_t begin,
                                        std::ptrdiff_t count) const {
  return {static_cast<std::size_t>(count),
          static_cast<std::size_t>(outputs_),
          prediction.at(begin),
          prediction.row,
          target(begin),
          target_width_,
          label(begin),
          data_.weight ? weights_.data() + begin : nullptr,
          ignored_};
}

template <class T>
bool Trainer<T>::Run::loss(const engine::Tile& tile, engine::View<const T> prediction,
                           engine::View<T> gradient) {
  double* losses = losses_.data() + tile.begin;
  loss_kernel<T>(trainer_.loss_.index)
      .run(trainer_.loss_.values, batch_rows(prediction, tile.begin, tile.rows()), scale_, losses,
           gradient.at(tile.begin), gradient.row);
  double sum = 0;
  for (std::ptrdiff_t i = 0; i < tile.rows(); ++i) sum += losses[i];
  return std::isfinite(sum);
}

template <class T>
void Trainer<T>::Run::count_in(engine::View<const T> prediction) {
  trainer_.add_up(batch_rows(prediction, 0, rows_), losses_.data(), trainer_.sums_);
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
