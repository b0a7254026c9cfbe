// Between the gradient and the update: the gradient becomes a natural gradient, layer by layer.
#include <cmath>

#include "../training_run.h"

namespace deltarule {

template <class T>
void Trainer<T>::Run::set_up_natural(int threads) {
  natural_.emplace(trainer_.optimizer_, machine_, trainer_.layer_states_, threads);
  if (natural_->fisher() == second_order::NaturalGradient<T>::empirical) return;
  for (int t = 0; t < threads; ++t) {
    roots_.emplace_back(trainer_.loss_, outputs_);
    root_memory_.emplace_back(static_cast<std::size_t>(2 * outputs_ + target_width_));
  }
}

template <class T>
void Trainer<T>::Run::begin_natural() {
  using Natural = second_order::NaturalGradient<T>;
  if (!natural_->due(step_number_))
    return enter(natural_->inverted() ? Stage::solve_inputs : Stage::inverses);
  const bool exact = natural_->fisher() == Natural::exact;
  natural_->begin(step_number_, rows_, exact ? static_cast<int>(outputs_) : 1);
  // The gradients that went back already are the empirical ones.
  enter(natural_->fisher() == Natural::empirical ? Stage::fisher_rows : Stage::fisher_loss);
}

template <class T>
void Trainer<T>::Run::complete_natural() {
  switch (stage_) {
    case Stage::fisher_loss:
      phase_ = 0;
      return enter(Stage::fisher_backward);
    case Stage::fisher_backward:
      return enter(++phase_ < machine_.plan().backward_phases().size() ? Stage::fisher_backward
                                                                       : Stage::fisher_rows);
    case Stage::fisher_rows:
      return enter(Stage::factors);
    case Stage::factors:
      return enter(natural_->next_pass() ? Stage::fisher_loss : Stage::inverses);
    case Stage::inverses:
      natural_->set_inverted(true);
      return enter(Stage::solve_inputs);
    case Stage::solve_inputs:
      return enter(Stage::solve_outputs);
    default:
      factor_ *= natural_->shortening(rate_, factor_, objective());
      return enter(Stage::apply);
  }
}

template <class T>
int Trainer<T>::Run::natural_tasks() const {
  switch (stage_) {
    case Stage::fisher_backward:
      return machine_.tasks(machine_.plan().backward_phases()[phase_], rows_);
    case Stage::factors:
      return natural_->factor_tasks();
    case Stage::inverses:
      return natural_->inverse_tasks();
    case Stage::solve_inputs:
      return natural_->input_tasks();
    case Stage::solve_outputs:
      return natural_->output_tasks();
    default:
      return tiles();
  }
}

template <class T>
void Trainer<T>::Run::natural_task(int thread, int task) {
  switch (stage_) {
    case Stage::fisher_loss:
      return fisher_loss(thread, tile(task));
    case Stage::fisher_backward:
      machine_.run_task(machine_.plan().backward_phases()[phase_], context(thread), task, *this);
      return;
    case Stage::fisher_rows:
      for (std::ptrdiff_t i = tile(task).begin; i < tile(task).end; ++i) {
        const bool absent = data_.label && *label(i) == ignored_;
        const double weight = data_.weight ? static_cast<double>(weights_.data()[i]) : 1;
        natural_->take_row(i, absent ? 0 : weight * scale_);
      }
      return;
    case Stage::factors:
      return natural_->factor_task(thread, task);
    case Stage::inverses:
      return natural_->inverse_task(thread, task);
    case Stage::solve_inputs:
      return natural_->input_task(thread, task, update_.gradients);
    default:
      return natural_->output_task(thread, task, update_.gradients);
  }
}

// Gradients of the outputs whose second moment is the Hessian of the loss there.
template <class T>
void Trainer<T>::Run::fisher_loss(int thread, const engine::Tile& tile) {
  auto& root = roots_[static_cast<std::size_t>(thread)];
  double* prediction = root_memory_[static_cast<std::size_t>(thread)].data();
  double *gradient = prediction + outputs_, *target = gradient + outputs_;
  const auto y = machine_.value(machine_.plan().output_slot().value);
  const auto g = machine_.gradient(machine_.plan().output_slot().gradient);
  for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
    std::copy_n(y.at(i), outputs_, prediction);
    if (data_.target) std::copy_n(this->target(i), target_width_, target);
    const double weight = data_.weight ? static_cast<double>(weights_.data()[i]) : 1;
    root.factor({.rows = 1,
                 .outputs = static_cast<std::size_t>(outputs_),
                 .prediction = prediction,
                 .prediction_row = outputs_,
                 .target = data_.target ? target : nullptr,
                 .target_row = target_width_,
                 .label = label(i),
                 .weight = data_.weight ? &weight : nullptr,
                 .ignored = ignored_},
                scale_);
    if (natural_->fisher() == second_order::NaturalGradient<T>::exact)
      root.column(natural_->pass(), gradient);
    else
      root.sample(trainer_.seed_, step_number_, i, gradient);
    for (std::ptrdiff_t j = 0; j < outputs_; ++j) g.at(i)[j] = static_cast<T>(gradient[j]);
  }
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
