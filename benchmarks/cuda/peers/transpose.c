#include "share.h"

#define TILE 32

void transpose(int part, int parts, int width, int height, const float *restrict in, float *restrict out) {
    for (int y0 = BEGIN(height); y0 < END(height); y0 += TILE)
        for (int x0 = 0; x0 < width; x0 += TILE)
            for (int x = x0; x < x0 + TILE; ++x)
                for (int y = y0; y < y0 + TILE; ++y)
                    out[x * height + y] = in[y * width + x];
}
