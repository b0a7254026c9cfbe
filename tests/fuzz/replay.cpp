// Runs a fuzz target without libFuzzer, with any compiler: every file of the folders given, and then
// MUTATIONS changes of them, the same ones every time.
//   program [-mutations=N] FOLDER...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size, std::size_t most,
                                               unsigned int seed);
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t most);

namespace {

std::minstd_rand engine;

std::size_t below(std::size_t n) { return n < 2 ? 0 : static_cast<std::size_t>(engine() >> 4) % n; }

}  // namespace

// A modest stand-in for libFuzzer's: flips, overwrites, removes or repeats.
std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size, std::size_t most) {
  if (size == 0) return 0;
  const std::size_t at = below(size), count = 1 + below(std::min<std::size_t>(16, size - at));
  switch (below(4)) {
    case 0:
      bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << below(8)));
      return size;
    case 1:
      bytes[at] = static_cast<std::uint8_t>(below(256));
      return size;
    case 2:
      std::memmove(bytes + at, bytes + at + count, size - at - count);
      return size - count;
    default:
      if (size + count > most) return size;
      std::memmove(bytes + at + count, bytes + at, size - at);
      return size + count;
  }
}

int main(int count, char** arguments) {
  std::vector<std::filesystem::path> files;
  std::size_t mutations = 0;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument.starts_with("-mutations=")) {
      mutations = std::stoul(argument.substr(11));
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    std::printf("%s\n", path.filename().string().c_str());
    std::fflush(stdout);  // the last line names the file that ends the program
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(inputs.back().data()), inputs.back().size());
  }
  if (inputs.empty()) {
    std::printf("no files\n");
    return 1;
  }
  constexpr std::size_t most = 16384;
  std::vector<std::uint8_t> buffer(most);
  std::size_t size = 0;
  for (std::size_t i = 0; i < mutations; ++i) {
    if (i % 4 == 0 || size == 0) {  // up to four changes on top of each other
      const std::string& from = inputs[below(inputs.size())];
      size = std::min(from.size(), most);
      std::memcpy(buffer.data(), from.data(), size);
    }
    size = LLVMFuzzerCustomMutator(buffer.data(), size, most, static_cast<unsigned>(i + 1));
    LLVMFuzzerTestOneInput(buffer.data(), size);
  }
  std::printf("%zu files and %zu changes of them\n", inputs.size(), mutations);
}
