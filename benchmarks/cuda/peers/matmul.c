#include "share.h"

void matmul(int part, int parts, int n, const float *restrict a, const float *restrict b, float *restrict c) {
    for (int i = BEGIN(n); i < END(n); ++i) {
        for (int j = 0; j < n; ++j)
            c[i * n + j] = 0;
        for (int k = 0; k < n; ++k)
            for (int j = 0; j < n; ++j)
                c[i * n + j] += a[i * n + k] * b[k * n + j];
    }
}
