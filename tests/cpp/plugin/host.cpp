// Loads the plug-in, lets it train, unloads it and lets its threads have their turn; three times over.
#include <dlfcn.h>
#include <chrono>
#include <cstdio>
#include <thread>

int main(int count, char** given) {
  if (count != 2) return 2;
  for (int i = 0; i < 3; ++i) {
    void* plugin = dlopen(given[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
      std::puts(dlerror());
      return 1;
    }
    const auto train = reinterpret_cast<int (*)()>(dlsym(plugin, "train"));
    if (!train || train() != 2) return 1;
    dlclose(plugin);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  std::puts("unloaded three times");
}
