// Loads the plug-in, runs a network in it and unloads it, several times: nothing of it may stay.
#include <dlfcn.h>

#include <cstdio>
#include <filesystem>

int main(int, char** arguments) {
  for (int i = 0; i < 3; ++i) {
    void* plugin = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) return std::printf("%s\n", dlerror()), 1;
    const auto run = reinterpret_cast<float (*)(float)>(dlsym(plugin, "plugin_run"));
    if (!run || !(run(0.5f) == run(0.5f))) return std::printf("plugin_run failed\n"), 1;
    // Session<float>::Session(const Network<float>&, long)
    if (dlsym(plugin, "_ZN9deltarule7SessionIfEC1ERKNS_7NetworkIfEEl"))
      return std::printf("it shows deltarule's symbols\n"), 1;
    const std::filesystem::directory_iterator threads("/proc/self/task");
    if (std::distance(begin(threads), end(threads)) != 1) return std::printf("inference began a thread\n"), 1;
    if (dlclose(plugin) != 0) return std::printf("%s\n", dlerror()), 1;
    if (dlopen(arguments[1], RTLD_NOW | RTLD_NOLOAD)) return std::printf("it is still loaded\n"), 1;
  }
}
