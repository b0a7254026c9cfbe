// What a layer sees of the C file while it adds its part: values, constants, functions and statements.
//
// Texts are C with the placeholders of Entry::c, here without parameters; functions are called without the
// prefix.
#pragma once

#include <deltarule/layer.h>
#include <map>
#include <set>

namespace deltarule {

class CWriter {
 public:
  // What one run costs, apart from what `evaluations` counts by name.
  struct Cost {
    std::ptrdiff_t additions = 0, multiplications = 0, divisions = 0;
  };
  // The arrays of the network by name, in double; `single`: the file computes in float.
  CWriter(std::string prefix, bool single, std::ptrdiff_t inputs,
          std::map<std::string, std::vector<double>> arrays);

  // The value that the layer reads; it leaves the one it wrote.
  int input = 0;
  std::ptrdiff_t width(int value) const { return values_[static_cast<std::size_t>(value)].width; }
  int new_value(std::ptrdiff_t width);
  // Where an element-by-element operation on `value` may write: the value itself, unless others read it.
  int target(int value);
  // From now on nobody writes over it.
  void share(int value) { values_[static_cast<std::size_t>(value)].shared = true; }
  void lower(const Layer& inner);

  const std::vector<double>& array(const std::string& name) const;
  bool has(const std::string& name) const { return arrays_.contains(path_ + name); }
  // A constant array of the file; its name in C.
  std::string constant(const std::string& name, const std::vector<double>& numbers);
  std::string constant(const std::string& name) { return constant(name, array(name)); }
  // The same, "0" for an array that the layer does not have.
  std::string constant_or_null(const std::string& name) { return has(name) ? constant(name) : "0"; }
  std::string indices(const std::string& name, const std::vector<std::ptrdiff_t>& numbers);

  // A function of this file, "void name(arguments) { body }", written once.
  void function(const std::string& name, const std::string& head, std::string_view body);
  // name(arguments, x, y): a call that reads one value and writes another, or the same.
  void call(const std::string& name, const std::string& arguments, int from, int to);
  // Passes a value through an activation; the value that holds the result.
  int activation(const Choice& choice, int value);

  Cost cost{};
  void evaluates(const std::string& what, std::ptrdiff_t times) { evaluations_[what] += times; }

  // The whole file but its comment and self-test, once all layers are lowered.
  struct Parts {
    std::string constants, functions, run;
    std::vector<std::string> arrays;  // names of the constants
    std::ptrdiff_t constant_bytes = 0, work = 0;
    std::map<std::string, std::ptrdiff_t> evaluations;
  };
  Parts finish(std::ptrdiff_t outputs);

  std::string number(double x) const;
  std::string define_array(const std::string& name, const std::vector<double>& numbers) const;
  const char* type() const { return single_ ? "float" : "double"; }

 private:
  struct Value {
    std::string name;
    std::ptrdiff_t width = 0;
    bool shared = false;
    std::ptrdiff_t first = -1, last = -1;  // statements that use it
    std::ptrdiff_t place = 0;
  };
  struct Statement {
    std::string text;
    int from, to;
  };
  std::string translated(std::string_view text, const Entry* entry, const Values& values);
  std::string placeholder(std::string_view text, const Entry* entry, const Values& values) const;
  void need(const std::string& name);  // a function of the table in writer.cpp
  std::string activation_function(const Choice& choice);
  std::string unique(const std::string& name);
  std::ptrdiff_t place_values(int result);

  std::string prefix_, path_;
  bool single_;
  std::map<std::string, std::vector<double>> arrays_;
  std::vector<Value> values_;
  std::vector<Statement> statements_;
  std::set<std::string> names_, functions_;
  std::map<std::string, std::string> activations_;  // name and parameters: the function
  std::map<std::string, std::ptrdiff_t> evaluations_;
  Parts parts_;
};

// "4, 3, ": the beginning of a call's arguments.
inline std::string c_arguments(std::initializer_list<std::ptrdiff_t> numbers) {
  std::string text;
  for (const auto n : numbers) text += std::to_string(n) + ", ";
  return text;
}

}  // namespace deltarule
