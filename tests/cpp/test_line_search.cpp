// The line search on functions of one number: what it accepts satisfies the strong Wolfe conditions.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "second_order/line_search.h"

using deltarule::second_order::LineSearch;

namespace {

struct Curve {
  const char* name;
  std::function<double(double)> value, slope;
};

const Curve curves[] = {
    {"parabola", [](double a) { return (a - 3) * (a - 3); }, [](double a) { return 2 * (a - 3); }},
    // Functions 1 and 2 of More & Thuente 1994.
    {"rational", [](double a) { return -a / (a * a + 2); },
     [](double a) { return (a * a - 2) / ((a * a + 2) * (a * a + 2)); }},
    {"flat start", [](double a) { return std::pow(a + 0.004, 5) - 2 * std::pow(a + 0.004, 4); },
     [](double a) { return 5 * std::pow(a + 0.004, 4) - 8 * std::pow(a + 0.004, 3); }},
    {"waves", [](double a) { return std::cos(6 * a) / 6 - a + 0.3 * a * a; },
     [](double a) { return -std::sin(6 * a) - 1 + 0.6 * a; }},
    {"wall", [](double a) { return a < 2 ? -a - std::log(2 - a) : std::nan(""); },
     [](double a) { return a < 2 ? -1 + 1 / (2 - a) : std::nan(""); }},
};

}  // namespace

TEST_CASE("what the search accepts satisfies the strong Wolfe conditions") {
  for (const Curve& curve : curves)
    for (const double curvature : {0.9, 0.1, 0.001})
      for (const double first : {1e-3, 0.1, 1.0, 10.0, 1e3}) {
        CAPTURE(curve.name);
        CAPTURE(curvature);
        CAPTURE(first);
        const double value = curve.value(0), slope = curve.slope(0);
        LineSearch search;
        search.start({.sufficient_decrease = 1e-4, .curvature = curvature, .max_evaluations = 120}, value,
                     slope, first);
        int evaluations = 0;
        LineSearch::Found found = LineSearch::Found::nothing_yet;
        while (found == LineSearch::Found::nothing_yet) {
          REQUIRE(++evaluations <= 121);
          found = search.observe(curve.value(search.step()), curve.slope(search.step()));
        }
        REQUIRE(found == LineSearch::Found::step);
        CHECK(curve.value(search.step()) <= value + 1e-4 * search.step() * slope);
        CHECK(std::abs(curve.slope(search.step())) <= curvature * std::abs(slope));
        CHECK(evaluations <= 40);
      }
}

TEST_CASE("without a lower value nothing is found; where evaluations run out, the lowest is kept") {
  LineSearch search;
  search.start({.max_evaluations = 20}, 0, -1, 1);
  int evaluations = 0;
  LineSearch::Found found = LineSearch::Found::nothing_yet;
  while (found == LineSearch::Found::nothing_yet) {
    REQUIRE(++evaluations <= 20);
    found = search.observe(search.step(), 1);  // the slope lied
  }
  CHECK(found == LineSearch::Found::nothing);

  // Every value is lower, no slope gentle enough: the lowest counts, and is asked for once more.
  search.start({.curvature = 1e-12, .max_evaluations = 3}, 0, -1, 1);
  CHECK(search.observe(-1, -0.5) == LineSearch::Found::nothing_yet);
  const double lowest = search.step();
  CHECK(search.observe(-7, 0.5) == LineSearch::Found::nothing_yet);
  CHECK(search.observe(-2, -0.4) == LineSearch::Found::nothing_yet);
  CHECK(search.step() == lowest);
  CHECK(search.observe(-7, 0.5) == LineSearch::Found::step);
}
