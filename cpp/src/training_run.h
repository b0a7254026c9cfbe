// One call of run_epoch or step: the loop over batches that a team of threads goes through together.
#pragma once

#include <deltarule/trainer.h>

namespace deltarule {

template <class T>
class Trainer<T>::Run final : public engine::BatchHooks<T> {
 public:
  Run(Trainer& trainer, engine::Machine<T>& machine, const Data<T>& data, const std::uint32_t* order, std::ptrdiff_t batch,
      const std::function<bool()>& poll);

  // Steps first .. last - 1 of the epoch. True when poll asked to stop. Throws NonFiniteError.
  bool steps(std::ptrdiff_t first, std::ptrdiff_t last, std::int64_t epoch);
  std::ptrdiff_t done() const { return done_; }
  double last_rate() const { return rate_; }

  void load(engine::Tile tile, engine::View<T> input) override;
  bool loss(engine::Tile tile, engine::View<const T> prediction, engine::View<T> gradient) override;

 private:
  enum class End { finished, stopped, bad_loss, bad_weight };
  End run(std::ptrdiff_t first, std::ptrdiff_t last, bool polling);
  void prepare(std::ptrdiff_t step);
  void body(int thread, typename engine::Machine<T>::Team& team, std::ptrdiff_t first, std::ptrdiff_t last, bool polling);
  void separate_update(const engine::Context<T>& context, typename engine::Machine<T>::Team& team, int& parity);
  void count_in(engine::View<const T> prediction);
  std::string first_bad_layer() const;
  const T* row(std::ptrdiff_t i) const {
    return data_.x + static_cast<std::ptrdiff_t>(order_ ? order_[begin_ + i] : static_cast<std::uint32_t>(begin_ + i)) * width_;
  }

  Trainer& trainer_;
  engine::Machine<T>& machine_;
  const Data<T>& data_;
  const std::uint32_t* order_;
  std::ptrdiff_t batch_, width_, outputs_;
  const std::function<bool()>& poll_;

  // The step under way; written between meetings by one thread.
  std::ptrdiff_t begin_ = 0, rows_ = 0, done_ = 0;
  double rate_ = 0, scale_ = 1;
  engine::Update<T> update_{};
  std::uint64_t step_number_ = 0;
  std::atomic<int> failed_op_{0};
  bool leave_ = false;
  End end_ = End::finished;

  std::vector<std::int32_t> labels_;
  std::vector<double> losses_, norms_;
  engine::Buffer<T> targets_, weights_;
};

}  // namespace deltarule
