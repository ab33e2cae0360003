// What programs take from the header of this name in NVIDIA's CUDA samples.
#pragma once

inline char *sdkFindFilePath(const char *name, const char *) { return const_cast<char *>(name); }
