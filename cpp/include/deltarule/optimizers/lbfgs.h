// Steps of the whole network along a quasi-Newton direction; run by src/second_order.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct Lbfgs {
  static constexpr Param parameters[] = {
      {.name = "learning_rate",
       .value = 1,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "first length that the line search tries, in units of the quasi-Newton step"},
      {.name = "history_size",
       .value = 10,
       .low = 1,
       .high = 1000,
       .kind = Kind::integer,
       .meaning = "pairs of steps and changes of the gradient that are kept"},
      {.name = "gradient_tolerance",
       .value = 1e-7,
       .low = 0,
       .high_open = true,
       .meaning = "training ends where no element of the gradient is larger"},
      {.name = "loss_tolerance",
       .value = 1e-12,
       .low = 0,
       .high_open = true,
       .meaning = "training ends when five steps in a row lower the loss by no more than this share of it"},
      {.name = "max_evaluations",
       .value = 25,
       .low = 1,
       .high = 1000,
       .kind = Kind::integer,
       .meaning = "most evaluations of loss and gradient in one line search"},
      {.name = "sufficient_decrease",
       .value = 1e-4,
       .low = 0,
       .high = 0.5,
       .low_open = true,
       .high_open = true,
       .meaning = "c1 of the strong Wolfe conditions; less than curvature"},
      {.name = "curvature",
       .value = 0.9,
       .low = 0,
       .high = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "c2 of the strong Wolfe conditions"},
  };
  // The arrays of a pair, of which there are history_size: step_1, change_1 of the latest, and so on.
  static constexpr std::string_view states[] = {"step", "change"};
  static constexpr Entry entry{
      .name = "lbfgs",
      .class_name = "LBFGS",
      .summary =
          "Limited-memory BFGS: a quasi-Newton direction from the latest steps (two-loop recursion, inner "
          "products in float64) and a line search for the strong Wolfe conditions. A step evaluates loss and "
          "gradient about once, rarely more often; random layers keep their masks and noise for the whole "
          "step. All rows are one batch unless a batch size is given. Training ends by itself, and the "
          "history says why, when a tolerance is reached or no lower loss can be found.",
      .formula =
          "\\theta \\leftarrow \\theta - \\alpha H g,\\; H \\leftarrow (I - \\rho s y^T) H (I - \\rho y s^T) "
          "+ "
          "\\rho s s^T,\\; \\rho = 1 / s^T y,\\; H_0 = \\frac{s^T y}{y^T y} I;\\quad "
          "f(\\theta + \\alpha d) \\le f + c_1 \\alpha\\, g^T d,\\; "
          "|\\nabla f(\\theta + \\alpha d)^T d| \\le c_2 |g^T d|",
      .parameters = parameters,
      .states = states,
      .reach = Reach::network,
      .source = "Nocedal 1980; Liu & Nocedal 1989; Nocedal & Wright 2006, algorithms 7.4 and 3.5",
  };
  static constexpr int arrays_per_pair = 2;
  static int states_used(const Values& p) { return arrays_per_pair * static_cast<int>(p[1]); }
};

}  // namespace deltarule
