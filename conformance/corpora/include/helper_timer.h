// What programs take from the header of this name in NVIDIA's CUDA samples: stop watches in milliseconds.
#pragma once
#include <chrono>

struct StopWatchInterface {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begun;
  float total = 0;
  int sessions = 0;
};

inline bool sdkCreateTimer(StopWatchInterface **watch) { return (*watch = new StopWatchInterface) != nullptr; }
inline bool sdkDeleteTimer(StopWatchInterface **watch) { return delete *watch, *watch = nullptr, true; }
inline bool sdkStartTimer(StopWatchInterface **watch) {
  (*watch)->begun = StopWatchInterface::Clock::now();
  return true;
}
inline bool sdkStopTimer(StopWatchInterface **watch) {
  auto past = StopWatchInterface::Clock::now() - (*watch)->begun;
  (*watch)->total += std::chrono::duration<float, std::milli>(past).count();
  ++(*watch)->sessions;
  return true;
}
inline bool sdkResetTimer(StopWatchInterface **watch) { return **watch = StopWatchInterface{}, true; }
inline float sdkGetTimerValue(StopWatchInterface **watch) { return (*watch)->total; }
inline float sdkGetAverageTimerValue(StopWatchInterface **watch) {
  return (*watch)->sessions ? (*watch)->total / (*watch)->sessions : 0;
}
