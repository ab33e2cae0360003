// Scores of the best alignments of all prefixes, one diagonal of tiles per launch. A block of one warp computes a tile
// by its diagonals in shared memory. `score` has n + 1 rows and columns, its first of each are set; n is a multiple of
// TILE; `similarity` is n x n.
#define TILE 32

__global__ void needleman_wunsch(int n, int penalty, int diagonal, int first, const int *similarity, int *score) {
    __shared__ int best[TILE + 1][TILE + 1];
    __shared__ int alike[TILE][TILE];
    int t = threadIdx.x, pitch = n + 1;
    int left = (first + blockIdx.x) * TILE;
    int top = (diagonal - first - blockIdx.x) * TILE;
    for (int row = 0; row < TILE; ++row)
        alike[row][t] = similarity[(top + row) * n + left + t];
    best[0][t + 1] = score[top * pitch + left + t + 1];
    best[t + 1][0] = score[(top + t + 1) * pitch + left];
    if (t == 0)
        best[0][0] = score[top * pitch + left];
    __syncthreads();
    for (int step = 0; step < 2 * TILE - 1; ++step) {
        int y = step - t;
        if (y >= 0 && y < TILE) {
            int match = best[y][t] + alike[y][t];
            int gap = max(best[y][t + 1], best[y + 1][t]) - penalty;
            best[y + 1][t + 1] = max(match, gap);
        }
        __syncthreads();
    }
    for (int row = 0; row < TILE; ++row)
        score[(top + row + 1) * pitch + left + t + 1] = best[row + 1][t + 1];
}
