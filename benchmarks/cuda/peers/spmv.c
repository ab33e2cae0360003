#include "share.h"

void spmv(int part, int parts, int rows, const int *starts, const int *columns, const float *values, const float *x,
          float *y) {
    for (int row = BEGIN(rows); row < END(rows); ++row) {
        float sum = 0;
        for (int i = starts[row]; i < starts[row + 1]; ++i)
            sum += values[i] * x[columns[i]];
        y[row] = sum;
    }
}
