// The Fisher matrices of the dense layers of a network, and gradients times their inverses.
#pragma once

#include <deltarule/engine/affine.h>
#include <deltarule/engine/machine.h>
#include <deltarule/trainer.h>

namespace deltarule::second_order {

// Whether a Fisher matrix is made out of the second derivatives of the loss.
bool asks_the_loss(const Choice& rule);

// What the rule keeps for the layers; empty for other rules. Throws std::invalid_argument, naming the layer,
// where one has parameters but is not dense, or is too large.
template <class T>
std::vector<LayerState<T>> layer_states(const Network<T>& network, const Choice& rule, bool allocate = true);

// The work is cut into tasks; everything in double. Tasks of one kind do not depend on each other.
template <class T>
class NaturalGradient {
 public:
  enum Method { kfac, unitwise };
  enum Fisher { sampled, exact, empirical };

  NaturalGradient(const Choice& rule, const engine::Machine<T>& machine, std::span<LayerState<T>> states,
                  int threads);
  Fisher fisher() const { return fisher_; }
  // Whether the matrices are renewed in this step, counted from 0.
  bool due(std::uint64_t step) const;
  bool inverted() const { return inverted_; }

  // 1. The matrices of a batch, in passes with other gradients of the outputs each.
  void begin(std::uint64_t step, std::ptrdiff_t rows, int passes);
  int pass() const { return pass_; }
  bool next_pass() { return ++pass_ < passes_; }
  // Inputs and gradients of a row are copied out of the machine; `share` is its share in the mean.
  void take_row(std::ptrdiff_t row, double share);
  int factor_tasks() const { return static_cast<int>(factors_.size()); }
  void factor_task(int thread, int task);
  // 2. Decompositions of the running means.
  int inverse_tasks() const { return static_cast<int>(inverses_.size()); }
  void inverse_task(int thread, int task);
  void set_inverted(bool inverted) { inverted_ = inverted; }
  // 3. The gradients: solve for the inputs, then for the outputs.
  int input_tasks() const { return static_cast<int>(columns_.size()); }
  void input_task(int thread, int task, T* gradients);
  int output_tasks() const { return static_cast<int>(rows_of_gradients_.size()); }
  void output_task(int thread, int task, T* gradients);
  // Factor that keeps a step of this length, and of a gradient scaled by `scale`, within kl_clip.
  double shortening(double length, double scale, double loss) const;

 private:
  // One dense layer. Matrices of kfac: inputs x inputs, outputs x outputs; of unitwise: one of inputs x
  // inputs for each output, in `of_inputs`.
  struct Block {
    typename engine::Affine<T>::Map map;
    std::ptrdiff_t inputs, outputs;  // inputs with the one of the bias
    engine::Buffer<T>*mean_of_inputs, *mean_of_outputs;
    engine::Buffer<double> x, delta;               // rows of the batch
    engine::Buffer<double> of_inputs, of_outputs;  // sums over the batch, then decompositions
    engine::Buffer<double> solved, turned;         // the gradient, by output and by input
    double keep = 0;                               // share of the means that stays
    std::ptrdiff_t x_row() const { return engine::padded<double>(inputs); }
    std::ptrdiff_t delta_row() const { return engine::padded<double>(outputs); }
  };
  // Rows begin .. end of the matrix of a block; for unitwise the matrix of unit `begin`.
  struct Task {
    std::size_t block;
    bool outputs;
    std::ptrdiff_t begin, end;
  };
  void cut();
  double* workspace(int thread) { return workspaces_[static_cast<std::size_t>(thread)].data(); }
  void unit_sum(const Block& b, std::ptrdiff_t unit, double* sum) const;
  static void blend(double keep, std::ptrdiff_t n, std::ptrdiff_t begin, std::ptrdiff_t end,
                    const double* sum, T* mean);

  Method method_;
  Fisher fisher_;
  double damping_, decay_, kl_clip_;
  std::uint64_t interval_;
  const engine::Machine<T>& machine_;
  std::vector<Block> blocks_;
  std::vector<Task> factors_, inverses_, columns_, rows_of_gradients_;
  std::vector<double> products_;  // of gradients and natural gradients, by the task that finds them
  std::vector<engine::Buffer<double>> workspaces_;  // per thread
  std::ptrdiff_t rows_ = 0;
  int pass_ = 0, passes_ = 1;
  bool inverted_ = false;
};

extern template class NaturalGradient<float>;
extern template class NaturalGradient<double>;

}  // namespace deltarule::second_order
