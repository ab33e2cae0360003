// C = A B in bfloat16 with float32 sums, four tiles of 32 columns at a time, as examples/matmul.s: thread = (column, row).
// A is [K/32][M][32], B is [N/32][K][32], C is [N/32][M][32]; tiles are counted in elements.
#include <rpp.h>

typedef unsigned short word;

static __device__ __forceinline__ uint4 column(const word *b) {
    return make_uint4(b[0] | b[32] << 16, b[64] | b[96] << 16, b[128] | b[160] << 16, b[192] | b[224] << 16);
}

static __device__ __forceinline__ word rounded(float value) {
    unsigned bits = __float_as_uint(value);
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
}

extern "C" __global__ void matmul(const word *a, const word *b, word *c, int slabs, int m, int b_tile, int c_tile) {
    int x = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
    b += blockIdx.y * 4 * b_tile;
    c += blockIdx.y * 4 * c_tile;
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (int slab = 0; slab < slabs; slab++) {
#pragma unroll
        for (int part = 0; part < 4; part++) {
            uint4 left = *reinterpret_cast<const uint4 *>(a + (slab * m + row) * 32 + part * 8);
            const word *right = b + slab * 1024 + part * 256 + x;
            sum0 = rpp::dot8(left, column(right), sum0);
            sum1 = rpp::dot8(left, column(right + b_tile), sum1);
            sum2 = rpp::dot8(left, column(right + 2 * b_tile), sum2);
            sum3 = rpp::dot8(left, column(right + 3 * b_tile), sum3);
        }
    }
    c += row * 32 + x;
    c[0] = rounded(sum0);
    c[c_tile] = rounded(sum1);
    c[2 * c_tile] = rounded(sum2);
    c[3 * c_tile] = rounded(sum3);
}
