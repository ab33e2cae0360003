// y = W x with 4-bit weights, as examples/decode.s: thread = output. Panels, groups and records are laid out as there.
typedef unsigned short word;

static __device__ __forceinline__ float low(unsigned pair) { return __uint_as_float(pair << 16); }
static __device__ __forceinline__ float high(unsigned pair) { return __uint_as_float(pair & 0xFFFF0000u); }

// Adds up 32 values of x, the sum in front of them. Thread = group.
extern "C" __global__ void sums(word *x) {
    word *record = x + 34 * (blockIdx.x * blockDim.x + threadIdx.x);
    float total = 0;
    for (int k = 0; k < 32; k++) total += low(record[2 + k]);
    unsigned bits = __float_as_uint(total);
    record[0] = bits;
    record[1] = bits >> 16;
}

extern "C" __global__ void decode(const word *weights, const word *x, word *y_low, word *y_high, int groups, int width) {
    int lane = blockIdx.x * blockDim.x + threadIdx.x;
    float y = 0;
    for (int group = 0; group < groups; group++) {
        const word *row = weights + group * 10 * width + lane, *record = x + group * 34;
        float total = __uint_as_float(record[0] | record[1] << 16);
        y = __fadd_rn(y, __fmul_rn(low(row[0]), total));
        float sum = total * -128.0f;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            unsigned q = row[(k + 1) * width];
            unsigned first = (q & 15 | (q & 0xF0) << 12) | 0x43004300;  // 128 + q in two bfloat16 values
            unsigned second = (q >> 8 & 15 | q >> 12 << 16) | 0x43004300;
            sum = fmaf(low(first), low(record[2 + 4 * k]), sum);
            sum = fmaf(high(first), low(record[3 + 4 * k]), sum);
            sum = fmaf(low(second), low(record[4 + 4 * k]), sum);
            sum = fmaf(high(second), low(record[5 + 4 * k]), sum);
        }
        y = __fadd_rn(y, __fmul_rn(sum, low(row[9 * width])));
    }
    unsigned bits = __float_as_uint(y);
    y_low[lane] = bits;
    y_high[lane] = bits >> 16;
}
